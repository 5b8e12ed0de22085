"""The chamber itself, for a moment: each episode once, and that it tells of what fails."""

import json
import os
import random
from pathlib import Path

import pytest

from tests.running import change
from tests.torture import episodes
from tests.torture.__main__ import main
from tests.torture.corpus import corpus
from tests.torture.episodes import EPISODES, missing
from tests.torture.mutation import Mutator
from tests.torture.room import Room


@pytest.mark.parametrize("name", ["mutated", *EPISODES])
def test_an_episode(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = missing(name)
    if reason is not None and "CI" not in os.environ:
        pytest.skip(reason)
    monkeypatch.setattr(episodes, "_KILLS", 3)
    report = tmp_path / "report.json"
    arguments = ["--only", name, "--minutes", "0", "--no-releases", "--json", str(report)]
    assert main(arguments) == 0
    document = json.loads(report.read_text())
    assert document["failed"] == []
    assert document["done"][name] == 1


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_row_that_was_lost_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: str
) -> None:
    def lose(room: Room) -> None:
        room.place.thread(1)
        room.place.index()
        change(room.place.database, "UPDATE rollouts SET summary = '{}'")

    monkeypatch.setattr(episodes, "EPISODES", {"kill": lose})
    monkeypatch.setattr("tests.torture.__main__.EPISODES", {"kill": lose})
    monkeypatch.setattr("tests.torture.room.TRUE_SECONDS", 3.0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    report = tmp_path / "report.json"
    arguments = ["--only", "kill", "--minutes", "0", "--no-releases", "--json", str(report)]
    assert main([*arguments, "--jobs", jobs]) == 1
    assert json.loads(report.read_text())["failed"] == ["kill 0"]


def test_a_seed_repeats_its_rollouts() -> None:
    def some(seed: int) -> list[bytes]:
        rng = random.Random(seed)
        mutator = Mutator(rng, corpus(rng, releases=False))
        return [mutator.rollout() for _ in range(50)]

    assert some(3) == some(3) != some(4)
