"""A long thread in portions says what all of its files say, whatever happens to them."""

from collections.abc import Sequence
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from rolloutd.records import DynamicTool, FileSummary, Summary, ThreadRecord
from rolloutd.rollout.merge import combine, merge
from rolloutd.rollout.portions import PORTION_FILES, Portions
from tests.rollouts import PROVIDER, THREAD

maybe = st.none() | st.sampled_from(["", "a", "b", "c"])
text = st.sampled_from(["", "", "a", "b"])
tools = st.lists(st.sampled_from("xyz").map(lambda name: DynamicTool(name, "", "{}")), max_size=3)
summaries = st.builds(
    Summary,
    thread_id=st.just(THREAD),
    created_at_ms=st.none() | st.integers(0, 3),
    source=text,
    parent_thread_id=maybe,
    memory_mode=maybe,
    cwd=text,
    turn_cwd=text,
    model_provider=maybe,
    git_sha=maybe,
    git_branch=maybe,
    git_origin_url=maybe,
    dynamic_tools=tools,
    model=maybe,
    sandbox_policy=maybe,
    approval_mode=maybe,
    tokens_used=st.none() | st.integers(0, 3),
    first_user_message=maybe,
    is_titled=st.booleans(),
    title=text,
    renamed=text,
    name=maybe,
    goal=text,
    has_user_event=st.booleans(),
)


def file_of(number: int, summary: Summary) -> FileSummary:
    return FileSummary(f"sessions/{number:05}", bool(number % 2), number * 10**9, summary)


def record_of(files: Sequence[FileSummary]) -> ThreadRecord:
    return merge(files, home="/home", default_provider=PROVIDER, session_name=None)


@given(st.lists(summaries, min_size=1, max_size=6), st.data())
def test_a_sum_says_what_its_files_say(drawn: list[Summary], data: st.DataObject) -> None:
    files = [file_of(number, summary) for number, summary in enumerate(drawn)]
    cut = data.draw(st.integers(0, len(files) - 1))
    last = files[cut]
    total = reduce(combine, drawn[: cut + 1])
    summed = FileSummary(last.path, last.archived, last.mtime_ns, total)
    assert record_of([summed, *files[cut + 1 :]]) == record_of(files)
    assert record_of([*files[:cut], file_of(len(files) - 1, reduce(combine, drawn[cut:]))]) == (
        record_of(files)
    )


class Disk:
    """The files of a thread as they are, and how many of them were asked for."""

    def __init__(self) -> None:
        self.files: dict[str, FileSummary] = {}
        self.loaded = 0

    def load(self, paths: Sequence[str]) -> list[FileSummary]:
        self.loaded += len(paths)
        return [self.files[path] for path in paths if path in self.files]

    def put(self, number: int) -> str:
        file = file_of(number, Summary(thread_id=THREAD, tokens_used=self.loaded + number))
        self.files[file.path] = file
        return file.path


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=300))
def test_portions_after_any_changes(changes: list[tuple[bool, int]]) -> None:
    """With few files: portions come into being, and go, as some are left."""
    disk = Disk()
    portions = Portions([])
    for is_put, number in changes:
        path = disk.put(number) if is_put else file_of(number, Summary()).path
        if is_put:
            portions.put(path)
        else:
            disk.files.pop(path, None)
            portions.remove(path)
        expected = [disk.files[each] for each in sorted(disk.files)]
        assert len(portions) == len(expected)
        totals = list(portions.totals(disk.load))
        assert bool(totals) == bool(expected)
        if expected:
            assert record_of(totals) == record_of(expected)


def test_a_change_costs_its_portion() -> None:
    disk = Disk()
    paths = [disk.put(number) for number in range(0, 10_000, 2)]
    portions = Portions(paths)
    list(portions.totals(disk.load))
    assert disk.loaded == len(paths)
    for number in (5000, 5001, 1, 9999):
        disk.loaded = 0
        portions.put(disk.put(number))
        assert record_of(list(portions.totals(disk.load))) == (
            record_of([disk.files[path] for path in sorted(disk.files)])
        )
        assert 0 < disk.loaded <= 2 * PORTION_FILES
    assert len(portions) == len(disk.files)


def test_portions_grow_no_larger_than_they_may() -> None:
    disk = Disk()
    portions = Portions([])
    for number in range(3000):
        portions.put(disk.put(number))
        disk.loaded = 0
        totals = list(portions.totals(disk.load))
        assert 0 < disk.loaded <= 2 * PORTION_FILES + 1
        assert len(totals) <= number // PORTION_FILES + 1
