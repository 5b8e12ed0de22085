"""Homes that real releases wrote, compressed and migrated ones too, before both judges."""

from __future__ import annotations

import json
from concurrent.futures import Future
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from .codex_index import copy_home
from .compare import Judged, judge
from .conftest import COMPRESSED, HOMES
from .differences import DIFFERENCES
from .naming import MINUTE_NS, names_of, set_mtimes
from .verdict import Verdict

Homes = dict[str, Future[Path]]


def judged(home: str, homes: Homes, scratch: Path) -> Judged:
    copy = copy_home(homes[home].result(), scratch / "home")
    # Codex changes times that are equal, or nearly so: one home is there to show it.
    set_mtimes(copy, apart_ns=0 if home == COMPRESSED else MINUTE_NS)
    return judge(copy, scratch)


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
