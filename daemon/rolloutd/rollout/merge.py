"""The merge: all files of one thread make its record.

The rules are those of rollouts.md, "One thread, several files": `combine` is where they are, for
a thread of one file, as nearly all are, needs none.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeVar

from msgspec.structs import replace

from rolloutd.records import DynamicTool, FileSummary, Summary, ThreadRecord
from rolloutd.rollout.canonical import normalise_path
from rolloutd.sources import class_of

DEFAULT_SANDBOX = '{"type":"read-only"}'
DEFAULT_APPROVAL = "on-request"
DEFAULT_MEMORY_MODE = "enabled"

_T = TypeVar("_T")


def merge(
    files: Sequence[FileSummary], *, home: str, default_provider: str, session_name: str | None
) -> ThreadRecord:
    """The record of the thread that `files` hold.

    Args:
        files: in the order of their watermarks, at least one, all of one thread.
        home: absolute path of the Codex home.
        default_provider: stands in where no session_meta names a provider.
        session_name: the thread's name in `session_index.jsonl`, if it has one there.
    """
    summary = reduce(combine, (file.summary for file in files))
    last = files[-1]
    created_at_ms = summary.created_at_ms or 0
    mtime_ms = last.mtime_ns // 1_000_000
    return ThreadRecord(
        id=summary.thread_id or "",
        rollout_path=f"{home}/{last.path}",
        created_at=created_at_ms // 1000,
        created_at_ms=created_at_ms,
        updated_at=mtime_ms // 1000,
        updated_at_ms=mtime_ms,
        recency_at=mtime_ms // 1000,
        recency_at_ms=mtime_ms,
        source=summary.source,
        source_class=class_of(summary.source),
        thread_source=summary.thread_source,
        originator=summary.originator,
        history_mode=summary.history_mode,
        model_provider=summary.model_provider or default_provider,
        cli_version=summary.cli_version,
        agent_nickname=summary.agent_nickname,
        agent_role=summary.agent_role,
        agent_path=summary.agent_path,
        memory_mode=(DEFAULT_MEMORY_MODE if summary.memory_mode is None else summary.memory_mode),
        cwd=normalise_path(summary.cwd or summary.turn_cwd),
        git_sha=summary.git_sha,
        git_branch=summary.git_branch,
        git_origin_url=summary.git_origin_url,
        model=summary.model,
        reasoning_effort=summary.reasoning_effort,
        sandbox_policy=summary.sandbox_policy or DEFAULT_SANDBOX,
        approval_mode=summary.approval_mode or DEFAULT_APPROVAL,
        tokens_used=summary.tokens_used or 0,
        first_user_message=summary.first_user_message or "",
        title=summary.renamed or _title(summary) or "",
        name=summary.name or session_name,
        preview=summary.goal or summary.first_user_message or "",
        has_user_event=summary.has_user_event,
        archived=last.archived,
        archived_at=mtime_ms // 1000 if last.archived else None,
        dynamic_tools=tuple(summary.dynamic_tools),
        parent_thread_id=summary.parent_thread_id,
    )


def combine(earlier: Summary, later: Summary) -> Summary:
    """One summary that adds to a thread what these two add, one right after the other."""
    both = (earlier, later)
    message = _earliest(both, lambda each: each.first_user_message)
    title = _earliest(both, _title)
    preview = _earliest(both, lambda each: each.goal or each.first_user_message)
    # A title and a preview that are the first message are not kept twice.
    is_titled = title is not None and title == message
    return replace(
        later,
        created_at_ms=_earliest(both, lambda each: each.created_at_ms),
        git_sha=_earliest(both, lambda each: each.git_sha),
        git_branch=_earliest(both, lambda each: each.git_branch),
        git_origin_url=_earliest(both, lambda each: each.git_origin_url),
        tokens_used=_earliest(both[::-1], lambda each: each.tokens_used),
        first_user_message=message,
        is_titled=is_titled,
        title="" if title is None or is_titled else title,
        renamed=later.renamed or earlier.renamed,
        name=later.name or earlier.name,
        goal="" if preview is None or preview == message else preview,
        has_user_event=earlier.has_user_event or later.has_user_event,
        dynamic_tools=_tools(both),
        parent_thread_id=_earliest(both, lambda each: each.parent_thread_id),
    )


def _title(summary: Summary) -> str | None:
    return summary.first_user_message if summary.is_titled else summary.title or None


def _tools(summaries: Sequence[Summary]) -> list[DynamicTool]:
    # At each position the first file's tool stays; a longer list of a later file adds to it.
    tools: list[DynamicTool] = []
    for summary in summaries:
        tools += summary.dynamic_tools[len(tools) :]
    return tools


def _earliest(summaries: Sequence[Summary], value_of: Callable[[Summary], _T | None]) -> _T | None:
    """The first value that is there, in the order given."""
    for summary in summaries:
        value = value_of(summary)
        if value is not None:
            return value
    return None
