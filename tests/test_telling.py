"""What the worker says of itself."""

import time

import pytest

from rolloutd.telling import Progress


@pytest.fixture
def progress() -> Progress:
    made = Progress(lambda _now: None)
    made.reconciled_in(2.0)
    return made


def test_a_reconcile_takes_as_long_as_the_last_one(progress: Progress) -> None:
    assert progress.reconcile_takes == 2.0
    progress.beat()
    progress.looking_since = time.monotonic() - 1.0
    progress.beat()
    assert progress.reconcile_takes == 2.0


def test_or_for_as_long_as_the_one_at_hand_moves(progress: Progress) -> None:
    """One that hangs grows stale."""
    progress.looking_since = time.monotonic() - 600.0
    progress.advance(0, 0)
    assert progress.reconcile_takes == 2.0
    progress.advance(1, 0)
    assert 600.0 <= progress.reconcile_takes < 601.0
    moved = progress.reconcile_takes
    progress.advance(0, 0)
    assert progress.reconcile_takes == moved
    progress.looking_since = None
    assert progress.reconcile_takes == 2.0
