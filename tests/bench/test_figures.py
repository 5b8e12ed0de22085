"""What the bench makes of its figures, without measuring anything."""

import io
import json
import random

import pytest
from rich.console import Console

from tests.bench.load import lags
from tests.bench.report import Section, Verdict, document, show
from tests.bench.statistic import percentile, slope, spread
from tests.bench.trees import FIRST_DAY, Spec, forget, run_folder, spec, tree
from tests.bench.writers import FIRST


@pytest.mark.parametrize(
    ("values", "part", "expected"),
    [([3], 0.99, 3), ([1, 2, 3, 4], 0.5, 2), (range(1, 101), 0.99, 99), (range(200), 1, 199)],
)
def test_a_percentile_is_a_value_that_was_measured(
    values: list[float], part: float, expected: float
) -> None:
    assert percentile(values, part) == expected


def test_a_slope_is_that_of_the_line_through_the_points() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert slope([(0, 1), (1, 1)]) == 0
    assert slope([(5, 1)]) == 0


def test_a_spread_tells_of_all_values() -> None:
    assert spread([1, 2, 9]) == {"count": 3, "p50": 2, "p99": 9, "most": 9}


def test_the_lag_of_a_line_ends_when_its_tokens_or_later_ones_are_seen() -> None:
    written = {"a": [1.0, 2.0, 3.0], "b": [1.5]}
    seen = [
        (0.5, {"a": 0, "b": 0}),
        (1.25, {"a": FIRST, "b": 0}),
        (3.5, {"a": FIRST + 2, "b": FIRST}),
    ]
    assert list(lags(written, seen)) == [0.25, 1.5, 0.5, 2.0]


def test_a_missed_target_or_a_failure_is_not_good() -> None:
    within, beyond = Verdict("speed", 1, 2), Verdict("speed", 3, 2)
    assert Section("p", "t", verdicts=[within]).good
    assert not Section("p", "t", verdicts=[within, beyond]).good
    assert not Section("p", "t", failures=["died"]).good


def test_the_report_says_all_of_a_section_and_is_one_document() -> None:
    section = Section(
        "part",
        "of [something]",
        ("", "ms"),
        [("a row", "7")],
        [Verdict("lag", 7, 5)],
        ["a note [1]"],
        {"codex": "not [here]"},
        ["died [of it]"],
        {"ms": 7},
    )
    printed = io.StringIO()
    show(section, Console(file=printed, width=100))
    for text in ("of [something]", "a row", "a note [1]", "not [here]", "died [of it]"):
        assert text in printed.getvalue()
    assert "FAIL lag: 7, at most 5" in printed.getvalue()
    told = json.loads(json.dumps(document([section])))
    assert told["good"] is False
    assert told["sections"][0]["targets"] == [{"what": "lag", "value": 7, "most": 5, "met": False}]


def test_a_tree_is_made_once_and_forgotten_when_asked(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    (cache / "not-ours").mkdir()
    monkeypatch.setenv("BENCH_DIR_ROLLOUTD", str(cache))
    wanted = spec("3x20000")
    made = tree(wanted)
    rollouts = sorted(made.home.rglob("rollout-*.jsonl"))
    assert len(rollouts) == made.files == 3
    assert sum(path.stat().st_size for path in rollouts) == made.bytes
    assert abs(made.bytes - wanted.bytes) < wanted.bytes / 10
    assert min(path.stat().st_mtime for path in rollouts) > FIRST_DAY
    assert tree(wanted) == made
    with run_folder() as folder:
        assert folder.parent == cache
    assert forget() == made.bytes
    assert [path.name for path in cache.iterdir()] == ["not-ours"]


@pytest.mark.parametrize("name", ["D", "0x20000", "10x5", "10x", "x20000", "10x20000x3"])
def test_a_tree_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="neither A, B, C nor FILESxBYTES"):
        spec(name)


def test_sizes_add_up_whatever_their_spread() -> None:
    for sigma in (0.0, 1.0, 1.8):
        wanted = Spec("any", 300, 30_000_000, sigma)
        assert sum(wanted.sizes(random.Random(1))) == pytest.approx(wanted.bytes, rel=0.02)
