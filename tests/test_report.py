"""What the commands print."""

import json
from pathlib import Path
from typing import Any

import pytest

from rolloutd.backfill import Report
from rolloutd.report import backfill_document, backfill_lines, status_document, status_lines
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Work, claim
from rolloutd.wording import age_text, size_text
from tests.running import index, write


def report(failures: int = 0) -> Report:
    return Report(
        status="complete",
        scanned=7,
        upserted=5,
        removed=1,
        failed=failures,
        parse_errors=3,
        bytes=1_234_567,
        seconds=1.23456,
        failures=[(f"sessions/{number}", "empty") for number in range(failures)],
    )


def test_the_document_of_a_backfill() -> None:
    document = backfill_document(report(30))
    assert json.loads(json.dumps(document)) == {
        "status": "complete",
        "scanned": 7,
        "upserted": 5,
        "removed": 1,
        "failed": 30,
        "parse_errors": 3,
        "bytes": 1_234_567,
        "seconds": 1.235,
        "failures": [{"path": f"sessions/{number}", "error": "empty"} for number in range(30)],
    }


def test_the_lines_of_a_backfill() -> None:
    [line] = backfill_lines(report())
    for part in ("complete", "7 files scanned", "5 indexed", "1 gone", "0 failed"):
        assert part in line
    for part in ("3 lines skipped", "1.2 MB", "1.2 s"):
        assert part in line


@pytest.mark.parametrize(("failures", "lines"), [(1, 2), (20, 21), (21, 22), (500, 22)])
def test_people_see_the_first_failures(failures: int, lines: int) -> None:
    printed = backfill_lines(report(failures))
    assert len(printed) == lines
    assert printed[1] == "  sessions/0: empty"
    assert ("more" in printed[-1]) == (failures > 20)
    if failures > 20:
        assert f"{failures - 20} more" in printed[-1]


def test_a_failed_name_cannot_write_on_the_terminal() -> None:
    """A file may be called anything, control characters included."""
    name = "sessions/rollout-\x1b[31m\n\r\x07.jsonl"
    made = report(1)
    made.failures[:] = [(name, "empty")]
    [_, line] = backfill_lines(made)
    assert line.isprintable()
    assert backfill_document(made)["failures"] == [{"path": name, "error": "empty"}]


def document_of(path: Path) -> dict[str, Any]:
    with StateDatabase.open_reader(path) as database:
        document = status_document(database, None)
    assert json.loads(json.dumps(document)) == document
    return document


def test_the_status_of_a_database_that_is_new(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateDatabase.open_writer(path):
        pass
    document = document_of(path)
    assert document["codex_home"] is None
    assert document["backfill"] == {
        "status": "pending",
        "reason": None,
        "last_watermark": None,
        "last_success_at": None,
        "owner": None,
        "lease_expires_at": None,
        "total": 0,
        "scanned": 0,
        "upserted": 0,
        "failed": 0,
    }
    lines = "\n".join(status_lines(document, 0))
    assert "none yet" in lines
    assert "pending, 0 of 0 files" in lines


def test_the_status_while_somebody_works(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateDatabase.open_writer(path) as database:
        lease = claim(database, Work.BACKFILL, 60)
        assert lease is not None
        with lease.transaction(total=9, scanned=4):
            pass
        document = document_of(path)
        owner = document["backfill"]["owner"]
        assert owner == {
            "host": lease.owner.host,
            "pid": lease.owner.pid,
            "since": lease.owner.since_ms // 1000,
            "gone": False,
        }
        assert 0 < document["backfill"]["lease_expires_at"] - owner["since"] <= 62
        lines = "\n".join(status_lines(document, owner["since"] + 120))
        assert "running, 4 of 9 files" in lines
        assert f"process {owner['pid']} on {owner['host']}" in lines
        assert "2 min" in lines
        lease.release("interrupted")
    assert "(interrupted)" in "\n".join(status_lines(document_of(path), 0))


def test_the_status_when_all_is_done(tmp_path: Path) -> None:
    home, path = tmp_path / "codex", tmp_path / "state.sqlite"
    (home / "archived_sessions").mkdir(parents=True)
    size = write(home, "sessions/rollout-a.jsonl", number=1).stat().st_size
    size += write(home, "archived_sessions/rollout-b.jsonl", number=2).stat().st_size
    (home / "sessions" / "rollout-c.jsonl").write_bytes(b"garbage\n" * 2)
    index(home, path)
    document = document_of(path)
    assert document["codex_home"] == str(home)
    assert document["database"] == str(path)
    assert document["threads"] == {"active": 1, "archived": 1}
    expected = {"indexed": 2, "failed": 1, "parse_errors": 2, "bytes": size + 16}
    assert document["rollouts"] == expected
    backfill = document["backfill"]
    assert (backfill["status"], backfill["total"], backfill["failed"]) == ("complete", 3, 1)
    lines = status_lines(document, backfill["last_success_at"] + 7200)
    assert any("complete, last true 2 h ago" in line for line in lines)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (999_999, "1.0 MB"),
        (34_000_000_000, "34.0 GB"),
        (2_000_000_000_000_000, "2000.0 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (200_000, "2 d")],
)
def test_ages(seconds: float, text: str) -> None:
    assert age_text(seconds) == text
