"""Homes that real releases wrote, compressed and migrated ones too, before both judges."""

from __future__ import annotations

import json
import os
from concurrent.futures import Future
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from .codex_index import copy_home
from .compare import Judged, Rows, judge
from .conftest import COMPRESSED, HOMES
from .differences import DIFFERENCES
from .verdict import Verdict

_WORDS = 20
_MINUTE_NS = 60 * 10**9
_NEWEST_NS = 1_790_000_000 * 10**9

Homes = dict[str, Future[Path]]


def judged(home: str, homes: Homes, scratch: Path) -> Judged:
    copy = copy_home(homes[home].result(), scratch / "home")
    # Codex changes times that are equal, or nearly so: one home is there to show it.
    _set_mtimes(copy, apart_ns=0 if home == COMPRESSED else _MINUTE_NS)
    return judge(copy, scratch)


def _set_mtimes(home: Path, apart_ns: int) -> None:
    for place, path in enumerate(sorted(home.rglob("rollout-*"), key=os.fsencode)):
        at = _NEWEST_NS - place * apart_ns
        os.utime(path, ns=(at, at))


def names_of(home: str, rows: Rows) -> dict[str, str]:
    """How the table of differences calls the threads of a home: by their first words."""
    return {
        thread_id: f"{home}/{row['first_user_message'][:_WORDS]}"
        + (", archived" if row["archived"] else "")
        for thread_id, row in rows.items()
    }


@pytest.mark.parametrize("home", HOMES)
def test_what_a_release_wrote(home: str, homes: Homes, tmp_path: Path) -> None:
    result = judged(home, homes, tmp_path)
    names = names_of(home, result.rolloutd)
    assert len(set(names.values())) == len(result.rolloutd) > 3
    verdict = Verdict(DIFFERENCES)
    verdict.look_at(result, lambda thread_id: names.get(thread_id, thread_id), "mock")
    verdict.check_needed(
        each
        for each in DIFFERENCES
        if "/" in each.name and fnmatchcase(home, each.name.partition("/")[0])
    )
    assert not verdict.problems, verdict.report()


def test_codex_itself_lists_nothing_of_0_20(homes: Homes, tmp_path: Path) -> None:
    result = judged("0.20.0", homes, tmp_path)
    assert not result.old
    assert not result.new
    named = sorted(path.name[8:27] for path in (tmp_path / "home").rglob("rollout-*.jsonl"))
    created = sorted(row["created_at"] for row in result.rolloutd.values())
    stamps = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H-%M-%S") for at in created]
    assert stamps == named


def test_a_reverted_thread_began_when_its_first_file_did(homes: Homes, tmp_path: Path) -> None:
    result = judged("0.169.0", homes, tmp_path)
    names = names_of("0.169.0", result.rolloutd)
    (row,) = (row for key, row in result.rolloutd.items() if names[key] == "0.169.0/first words")
    first, last = sorted((tmp_path / "home" / "sessions").rglob(f"rollout-*-{row['id']}*"))
    began = json.loads(first.read_bytes().partition(b"\n")[0])["payload"]["timestamp"]
    assert row["created_at_ms"] == round(datetime.fromisoformat(began).timestamp() * 1000)
    assert row["rollout_path"] == str(last.relative_to(tmp_path / "home"))


def test_a_compressed_home_says_what_it_said_before(homes: Homes, tmp_path: Path) -> None:
    for home in ("0.169.0", COMPRESSED):
        (tmp_path / home).mkdir()
    plain = judged("0.169.0", homes, tmp_path / "0.169.0").rolloutd
    packed = judged(COMPRESSED, homes, tmp_path / COMPRESSED).rolloutd
    times = {"updated_at", "updated_at_ms", "recency_at", "recency_at_ms", "archived_at"}
    for rows in (plain, packed):
        for row in rows.values():
            row["rollout_path"] = row["rollout_path"].removesuffix(".zst")
            for column in (*times, "mtime_ns"):
                del row[column]
    assert packed == plain
