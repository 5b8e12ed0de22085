"""One thread in several files: both orders, and every column that can come from either."""

from .cases_build import (
    ARCHIVED,
    Case,
    Json,
    case,
    event,
    files,
    meta,
    named,
    rollout,
    tokens,
    turn,
    user,
)

MERGE = "rollouts.md: One thread, several files"
A = "sessions/2026/01/02/rollout-2026-01-02T03-04-05-@id@.jsonl"
B = "sessions/2026/01/03/rollout-2026-01-03T03-04-05-@id@_@other@.jsonl"
C = "sessions/2026/01/04/rollout-2026-01-04T03-04-05-@id@_@third@.jsonl"
GIT: dict[str, Json] = {"commit_hash": "a" * 40, "branch": "main", "repository_url": "url-a"}
LATER: dict[str, Json] = {"commit_hash": "b" * 40, "branch": "later", "repository_url": "url-b"}
TOOL: dict[str, Json] = {"name": "t", "description": "d", "inputSchema": {}}
SPAWN: dict[str, Json] = {"subagent": {"thread_spawn": {"parent_thread_id": "@third@", "depth": 1}}}
FIRST = (
    meta(git=GIT, memory_mode="disabled", agent_nickname="a", dynamic_tools=[TOOL]),
    turn(),
    user("one"),
    tokens(10),
)
SECOND = (
    meta(
        timestamp="2026-01-03T03:04:05Z",
        source="exec",
        cwd="/second",
        git=LATER,
        cli_version="2",
        originator="later",
        model_provider="mock",
    ),
    turn(model="gpt-6", effort="low", approval_policy="on-request"),
    user("two"),
    tokens(20),
)
EARLY, LATE = 1_750_000_000_000_000_000, 1_760_000_000_000_000_000


def pair(name: str, first: tuple[bytes, ...], second: tuple[bytes, ...], why: str = MERGE) -> Case:
    return files(name, why, {A: rollout(*first), B: rollout(*second)})


def bare(*lines: bytes) -> tuple[bytes, ...]:
    return (meta(), *lines)


CASES: tuple[Case, ...] = (
    pair("merge", FIRST, SECOND),
    pair("merge-swapped", SECOND, FIRST),
    pair("merge-second-bare", FIRST, bare()),
    pair("merge-first-bare", bare(), FIRST),
    pair("merge-second-empty", FIRST, (b"",)),
    pair("merge-first-empty", (b"",), FIRST),
    pair("merge-second-headerless", FIRST, (turn(model="gpt-6"), user("two"))),
    pair("merge-git-parts", (meta(git={"commit_hash": "a" * 40}),), (meta(git={"branch": "b"}),)),
    pair("merge-git-blank", (meta(git={"branch": ""}),), (meta(git=LATER),)),
    pair("merge-tokens-first", bare(tokens(5)), bare()),
    pair("merge-tokens-lower", bare(tokens(50)), bare(tokens(5))),
    pair("merge-tokens-zero", bare(tokens(50)), bare(tokens(0))),
    pair("merge-memory-first", (meta(memory_mode="disabled"),), bare()),
    pair("merge-model-first", bare(turn()), bare()),
    pair("merge-effort-null", bare(turn()), bare(turn(effort=None))),
    pair("merge-image-first", bare(user("", images=["x"])), bare(user("words"))),
    pair("merge-second-has-user", bare(), bare(user("two"))),
    pair("merge-name-first", bare(user("one"), named("Named")), bare(user("two"))),
    pair("merge-name-second", bare(user("one")), bare(named("Named"))),
    pair("merge-tools-first", (meta(dynamic_tools=[TOOL]),), bare()),
    pair("merge-tools-second", bare(), (meta(dynamic_tools=[TOOL]),)),
    pair(
        "merge-tools-both",
        (meta(dynamic_tools=[TOOL]),),
        (meta(dynamic_tools=[{**TOOL, "name": "u"}, TOOL]),),
    ),
    pair("merge-tools-none", (meta(dynamic_tools=[TOOL]),), (meta(dynamic_tools=[]),)),
    pair("merge-spawn-first", (meta(source=SPAWN),), (meta(source="cli"),)),
    pair("merge-spawn-second", (meta(source="cli"),), (meta(source=SPAWN),)),
    pair(
        "merge-agents-first",
        (meta(agent_nickname="a", agent_role="b", thread_source="user"),),
        bare(),
    ),
    pair("merge-provider-none", (meta(model_provider="mock"),), (meta(model_provider=None),)),
    pair("merge-cwd-empty", (meta(cwd="/one"),), (meta(cwd=""),)),
    pair(
        "merge-history-base",
        FIRST,
        (
            meta(
                history_base={
                    "thread_id": "@id@",
                    "end_ordinal_exclusive": 2,
                    "end_byte_offset": 99,
                }
            ),
            user("two"),
        ),
    ),
    pair("merge-history-mode", (meta(history_mode="paginated"),), bare()),
    pair(
        "merge-goal-first",
        bare(
            event(
                "thread_goal_updated",
                threadId="@id@",
                goal={
                    "threadId": "@id@",
                    "objective": "win",
                    "status": "active",
                    "tokensUsed": 0,
                    "timeUsedSeconds": 0,
                    "createdAt": 1,
                    "updatedAt": 1,
                },
            )
        ),
        bare(user("two")),
    ),
    files("merge-three", MERGE, {A: rollout(*FIRST), B: rollout(*SECOND), C: rollout(meta())}),
    files(
        "merge-old-mtime",
        "the first file was touched last",
        {A: rollout(*FIRST), B: rollout(*SECOND)},
        {A: LATE + 1_000_000, B: EARLY + 1_000_000},
    ),
    files(
        "merge-new-mtime",
        "the last file was touched last",
        {A: rollout(*FIRST), B: rollout(*SECOND)},
        {A: EARLY + 2_000_000, B: LATE + 2_000_000},
    ),
    files(
        "merge-archived-first",
        "archived_sessions sorts before sessions",
        {ARCHIVED: rollout(*FIRST), B: rollout(*SECOND)},
    ),
    files(
        "merge-archived-copy",
        "the same file in both places",
        {ARCHIVED: rollout(*FIRST), A: rollout(*FIRST)},
    ),
    files(
        "merge-archived-longer",
        "the archived copy has more",
        {ARCHIVED: rollout(*FIRST, user("more"), tokens(99)), A: rollout(*FIRST)},
    ),
    files(
        "merge-order-case",
        "byte order of watermarks",
        {
            "sessions/a/rollout-2026-01-02T03-04-05-@id@.jsonl": rollout(meta(), user("lower")),
            "sessions/B/rollout-2026-01-02T03-04-05-@id@.jsonl": rollout(meta(), user("upper")),
        },
    ),
    files(
        "merge-order-unicode",
        "byte order of watermarks",
        {
            "sessions/\uff5e/rollout-2026-01-02T03-04-05-@id@.jsonl": rollout(meta(), user("bmp")),
            "sessions/😀/rollout-2026-01-02T03-04-05-@id@.jsonl": rollout(meta(), user("astral")),
        },
    ),
    files(
        "merge-order-folder",
        "byte order of watermarks: '-' and '.' sort before '/'",
        {
            "sessions/a/rollout-2026-01-02T03-04-05-@id@.jsonl": rollout(meta(), user("a/")),
            "sessions/a-b/rollout-2026-01-02T03-04-05-@id@.jsonl": rollout(meta(), user("a-b/")),
        },
    ),
    files(
        "merge-same-mtime",
        "two files of one time",
        {A: rollout(*FIRST), B: rollout(*SECOND)},
        {A: EARLY + 3_000_000, B: EARLY + 3_000_000},
    ),
    files(
        "same-mtime-two-threads",
        "equal mtimes of two threads",
        {
            A: rollout(meta()),
            "sessions/rollout-2026-01-02T03-04-05-@other@.jsonl": rollout(meta(id="@other@")),
        },
        {
            A: EARLY + 4_000_000,
            "sessions/rollout-2026-01-02T03-04-05-@other@.jsonl": EARLY + 4_000_000,
        },
    ),
    case(
        "merge-fork",
        "a fork embeds its parent's session_meta",
        meta(forked_from_id="@other@"),
        meta(id="@other@", source="exec"),
        turn(),
        user("parent"),
        tokens(9),
    ),
    files(
        "merge-parent-and-fork",
        "parent and fork side by side",
        {
            A: rollout(meta(), user("parent")),
            "sessions/2026/01/05/rollout-2026-01-05T03-04-05-@other@.jsonl": rollout(
                meta(id="@other@", forked_from_id="@id@"), meta(), user("parent"), user("fork")
            ),
        },
    ),
)
