"""Whatever happens to the tree and to the daemon: once it has settled, its database is true."""

import os
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.daemon.living import Daemon, living, wait_until_true
from tests.daemon.tree import NUMBERS, Step, Tree
from tests.running import Place, dump

# Another one each time, and printed where it fails; TESTS_SEED repeats it.
SEED = int(os.environ.get("TESTS_SEED") or random.SystemRandom().getrandbits(32))
QUICK: dict[str, str] = {"ROLLOUTD_RECONCILE_SECONDS": "1"}
KINDS = sorted(Tree(Place(Path("/nowhere"))).kinds)

steps = st.builds(
    Step, st.sampled_from(KINDS) | st.just("create"), st.sampled_from(NUMBERS), st.integers(1, 99)
)
# Between two lives of the daemon, things happen too.
lives = st.lists(
    st.tuples(st.lists(steps, max_size=12), st.lists(steps, max_size=4), st.booleans()),
    min_size=1,
    max_size=3,
)


def live(place: Place, tree: Tree, daemon: Daemon, drawn: list[Step], *, killed: bool) -> None:
    for step in drawn:
        tree.apply(step)
    if killed:
        daemon.process.kill()
        daemon.process.wait()
        return
    tree.settle()
    daemon.wait_for("following")
    wait_until_true(place, 20)
    daemon.stop()
    assert dump(place.database) == place.fresh()


def check(root: Path, drawn: list[tuple[list[Step], list[Step], bool]]) -> None:
    print(f"TESTS_SEED={SEED}")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    place = Place.make(root)
    tree = Tree(place)
    for during, between, killed in [*drawn, ([], [], False)]:
        with living(place, phase="", **QUICK) as daemon:  # type: ignore[arg-type]
            if during and during[0].amount % 4:
                tree.settle()
                daemon.wait_for("following")
            live(place, tree, daemon, during, killed=killed)
        for step in between:
            tree.apply(step)


bounded = settings(
    suppress_health_check=list(HealthCheck),
    deadline=None,
    print_blob=True,
    database=None,
    # Each example takes seconds: what fails is shown as it was drawn.
    phases=[Phase.generate],
)


@pytest.mark.timeout(300)
@seed(SEED)
@settings(bounded, max_examples=6)
@given(drawn=lives)
def test_the_database_is_a_function_of_the_files(
    tmp_path: Path, drawn: list[tuple[list[Step], list[Step], bool]]
) -> None:
    check(tmp_path / "place", drawn)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@seed(SEED)
@settings(bounded, max_examples=300)
@given(drawn=lives)
def test_the_same_for_long(
    tmp_path: Path, drawn: list[tuple[list[Step], list[Step], bool]]
) -> None:
    check(tmp_path / "place", drawn)
