"""The tidying of events, lists in and hints out; and the mailbox."""

import pytest

from rolloutd.hints import MOST_PLACES, Hints, Mailbox, tidy

NAME = "rollout-2026-01-02T03-04-05-x.jsonl"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (("added", f"/h/sessions/2026/{NAME}"), Hints(files={f"sessions/2026/{NAME}": None})),
        (("deleted", f"/h/sessions/{NAME}.zst"), Hints(files={f"sessions/{NAME}.zst": None})),
        (("added", "/h/sessions/2026/01"), Hints(directories={"sessions/2026/01": None})),
        (("modified", "/h/sessions/2026"), Hints(directories={"sessions/2026": None})),
        (("deleted", "/h/sessions/2026"), Hints(everything=True)),
        (("deleted", "/h/sessions"), Hints(everything=True)),
        (("lost", "/h"), Hints(everything=True)),
        (("modified", f"/h/elsewhere/{NAME}"), Hints()),
        (("modified", f"/other/sessions/{NAME}"), Hints()),
    ],
)
def test_one_event(event: tuple[str, str], expected: Hints) -> None:
    assert tidy("/h", [event]) == expected


def test_the_oldest_come_first_and_each_once() -> None:
    mailbox = Mailbox()
    for name in "abacab":
        mailbox.post(Hints(files={name: None}))
    assert list(mailbox.take(0, 2).files) == ["a", "b"]
    assert list(mailbox.take(0, 2).files) == ["c"]
    assert not mailbox.take(0, 2)


def test_what_waits_is_bounded() -> None:
    mailbox = Mailbox()
    mailbox.post(Hints(files={str(number): None for number in range(MOST_PLACES + 1)}))
    assert mailbox.waiting() == 0
    assert mailbox.take(0, 10).everything


def test_who_waits_for_something_else_is_woken_by_a_stop() -> None:
    mailbox = Mailbox()
    woken = []
    with mailbox.waking(lambda: woken.append("gone by then")):
        pass
    with mailbox.waking(lambda: woken.append("first")):
        mailbox.stop()
        assert woken == ["first"]
    with mailbox.waking(lambda: woken.append("late")):
        assert woken == ["first", "late"]
