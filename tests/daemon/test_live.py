"""The daemon beside the real Codex: three releases, at once, in one home."""

import statistics

import pytest

from tests.daemon.story import PROVIDER, RELEASES, Day, live
from tests.daemon.tracing import calls_about, is_reading, why_not
from tests.oracle.compare import judge
from tests.oracle.differences import DIFFERENCES
from tests.oracle.verdict import Verdict
from tests.required import require_releases, require_tracing
from tests.running import dump, fresh, rows

pytestmark = pytest.mark.timeout(300)

_WORDS = 20


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """One day for all tests."""
    require_releases(*RELEASES)
    return live(tmp_path_factory.mktemp("live"), traced=why_not() is None)


def test_at_its_end_the_database_says_what_codex_own_does(day: Day) -> None:
    result = judge(day.place.home, day.place.root / "judged", day.place.database)

    def name_of(thread_id: str) -> str:
        row = result.rolloutd.get(thread_id)
        first_words = row and f"{row['cli_version']} {row['first_user_message'][:_WORDS]}"
        return f"live/{day.names.get(thread_id) or first_words}"

    assert day.names.keys() < result.rolloutd.keys()
    assert len(set(map(name_of, result.rolloutd))) == len(result.rolloutd)
    verdict = Verdict(DIFFERENCES)
    verdict.look_at(result, name_of, PROVIDER)
    verdict.check_needed(each for each in DIFFERENCES if each.name.startswith("live/"))
    assert not verdict.problems, verdict.report()


def test_at_its_end_the_database_equals_a_fresh_one(day: Day) -> None:
    assert dump(day.place.database) == fresh(day.place.home, provider=PROVIDER)


def test_what_codex_listed_meanwhile_is_listed(day: Day) -> None:
    (own,) = day.place.home.glob("state_*.sqlite")
    known = set(rows(own, "SELECT id FROM threads"))
    assert known
    assert known <= set(rows(day.place.database, "SELECT id FROM threads"))


def test_every_turn_showed_without_being_asked_for(day: Day) -> None:
    waits = sorted(day.witness.waits)
    print(f"{len(waits)} waits: p50 {statistics.median(waits):.3f} s, max {waits[-1]:.3f} s")
    assert len(waits) > 50
    assert statistics.median(waits) < 1


def test_no_thread_was_ever_absent(day: Day) -> None:
    assert not day.witness.absences


def test_the_daemon_had_nothing_to_complain_of(day: Day) -> None:
    complaints = [line for line in day.log.read_text().splitlines() if " INFO " not in line]
    assert [line.partition(" WARNING ")[2].partition(":")[0] for line in complaints] == ["waiting"]


def test_the_home_was_only_read(day: Day) -> None:
    require_tracing()
    for record in day.records:
        calls = list(calls_about(record, day.place.home))
        assert sum("rollout-" in call for call in calls) > 100
        assert not [call for call in calls if not is_reading(call)]


def test_nobody_looked_where_the_sessions_had_worked(day: Day) -> None:
    require_tracing()
    for record in day.records:
        assert not list(calls_about(record, day.work))
