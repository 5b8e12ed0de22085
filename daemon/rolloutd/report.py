"""What the commands print: lines for people, one JSON document for programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from rolloutd import __version__
from rolloutd.backfill import Report
from rolloutd.instance import DaemonState
from rolloutd.state import tally
from rolloutd.state.database import StateDatabase
from rolloutd.state.home import home_of
from rolloutd.state.lease import BackfillState, read_state
from rolloutd.state.threads import count_threads
from rolloutd.wording import age_text, printable, size_text

_FAILURES_SHOWN = 20


def backfill_document(report: Report) -> dict[str, Any]:
    """`backfill --json`."""
    return {
        "status": report.status,
        "scanned": report.scanned,
        "upserted": report.upserted,
        "removed": report.removed,
        "failed": report.failed,
        "parse_errors": report.parse_errors,
        "bytes": report.bytes,
        "seconds": round(report.seconds, 3),
        "failures": [{"path": path, "error": error} for path, error in report.failures],
    }


def backfill_lines(report: Report) -> list[str]:
    """The same for people, with the first failures only."""
    lines = [
        (
            f"{report.status}: {report.scanned} files scanned, {report.upserted} indexed, "
            f"{report.removed} gone, {report.failed} failed, {report.parse_errors} lines skipped; "
            f"{size_text(report.bytes)} in {report.seconds:.1f} s"
        )
    ]
    lines += [f"  {printable(path)}: {error}" for path, error in report.failures[:_FAILURES_SHOWN]]
    if len(report.failures) > _FAILURES_SHOWN:
        lines.append(f"  and {len(report.failures) - _FAILURES_SHOWN} more (--json lists them all)")
    return lines


def status_document(database: StateDatabase, daemon: DaemonState | None) -> dict[str, Any]:
    """`status --json`; `daemon` is null where none runs."""
    with database.reading() as connection:
        state = read_state(connection)
        totals = tally.totals(connection)
        counts = count_threads(connection)
        home = home_of(connection)
    return {
        "version": __version__,
        "codex_home": home,
        "database": str(database.path),
        "problem": None,
        "daemon": None if daemon is None else msgspec.to_builtins(daemon),
        "backfill": _state_document(state),
        "rollouts": {
            "indexed": totals.indexed,
            "failed": totals.failed,
            "parse_errors": totals.parse_errors,
            "bytes": totals.bytes,
        },
        "threads": {"active": counts.active, "archived": counts.archived},
    }


def unopened_document(database: Path, daemon: DaemonState, problem: str) -> dict[str, Any]:
    """The same where the database of a running daemon cannot be opened: what it holds is null."""
    return {
        "version": __version__,
        "codex_home": None,
        "database": str(database),
        "problem": problem,
        "daemon": msgspec.to_builtins(daemon),
        "backfill": None,
        "rollouts": None,
        "threads": None,
    }


def _state_document(state: BackfillState) -> dict[str, Any]:
    owner, expires = state.owner, state.lease_expires_at_ms
    return {
        "status": state.status,
        "reason": state.reason,
        "last_watermark": state.last_watermark,
        "last_success_at": state.last_success_at,
        "owner": None
        if owner is None
        else {
            "host": owner.host,
            "pid": owner.pid,
            "since": owner.since_ms // 1000,
            "gone": owner.is_provably_gone(),
        },
        "lease_expires_at": None if expires is None else expires // 1000,
        "total": state.total,
        "scanned": state.scanned,
        "upserted": state.upserted,
        "failed": state.failed,
    }


def status_lines(document: dict[str, Any], now: float) -> Sequence[str]:
    """The same for people; `now` in epoch seconds."""
    if document["problem"] is not None:
        return [
            f"rolloutd   {document['version']}",
            f"database   {printable(document['problem'])}",
            *_daemon_lines(document["daemon"], now),
        ]
    backfill, files, threads = document["backfill"], document["rollouts"], document["threads"]
    lines = [
        f"rolloutd   {document['version']}",
        f"home       {printable(document['codex_home'] or 'none yet')}",
        f"database   {printable(document['database'])}",
        *_daemon_lines(document["daemon"], now),
        f"backfill   {_progress(backfill, now)}",
        (
            f"rollouts   {files['indexed']} indexed, {files['failed']} failed, "
            f"{size_text(files['bytes'])}, {files['parse_errors']} lines skipped"
        ),
        f"threads    {threads['active']} active, {threads['archived']} archived",
    ]
    owner = backfill["owner"]
    if owner is not None:
        state = "gone" if owner["gone"] else f"since {age_text(now - owner['since'])}"
        lines.append(f"worker     process {owner['pid']} on {owner['host']}, {state}")
    return lines


def _daemon_lines(daemon: dict[str, Any] | None, now: float) -> list[str]:
    if daemon is None:
        return ["daemon     none runs"]
    age = age_text(now - daemon["since_ms"] / 1000)
    parts = [daemon["phase"], {"native": "file events", "poll": "polling"}[daemon["watch"]]]
    for word, key in (("last event", "last_event_ms"), ("reconcile", "last_reconcile_ms")):
        if daemon[key] is not None:
            parts.append(f"{word} {age_text(now - daemon[key] / 1000)} ago")
    if daemon["lag_ms"] is not None:
        parts.append(f"lag {daemon['lag_ms']} ms")
    if daemon["queue"]:
        parts.append(f"{daemon['queue']} waiting")
    lines = [f"daemon     process {daemon['pid']} for {age}", f"           {', '.join(parts)}"]
    if daemon["metrics"]:
        lines.append(f"metrics    {daemon['metrics']}")
    lines += [
        f"problem    {printable(daemon[key])}"
        for key in ("problem", "watch_problem")
        if daemon[key]
    ]
    return lines


def _progress(backfill: dict[str, Any], now: float) -> str:
    status = str(backfill["status"])
    if status == "complete":
        done, last = "complete", backfill["last_success_at"]
        if last is not None:
            done = f"complete, last true {age_text(now - last)} ago"
        return f"{done} ({backfill['reason']})" if backfill["reason"] else done
    done = f"{status}, {backfill['scanned']} of {backfill['total']} files"
    return f"{done} ({backfill['reason']})" if backfill["reason"] else done
