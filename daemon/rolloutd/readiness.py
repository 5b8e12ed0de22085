"""Readiness: whether the index can be relied on now, judged from how the parts are.

One judgement for `/readyz`, the metric `rolloutd_ready` and systemd's READY=1.
"""

from typing import Literal, NamedTuple, TypeAlias

Phase: TypeAlias = Literal["starting", "waiting", "backfill", "following", "failing"]

# The index counts as stale once so many reconciles in a row must have been missed.
_MISSED_RECONCILES = 3

_PHASES: dict[Phase, str] = {
    "starting": "the daemon is starting",
    "waiting": "waiting for the Codex home, or for another process that holds the work",
    "backfill": "the backfill is not complete",
    "failing": "the database cannot be used",
}


class Parts(NamedTuple):
    """How the parts of the daemon are.

    Attributes:
        is_listening: the endpoint listens, or is turned off.
        is_armed: the first watch is armed, or polling has taken its place.
        reconciled: when everything was last compared with success, on the monotonic clock: what
            is asleep does not grow stale.
        took: how many seconds that took, or the one at hand has moved for, if that is more.
    """

    phase: Phase
    is_listening: bool
    is_armed: bool
    reconciled: float | None
    took: float


def why_not_ready(parts: Parts, reconcile_seconds: float, now: float) -> str | None:
    """The reason, in one line without a path or an id; None if ready.

    Stale is an index for which no reconcile has succeeded for three of their periods, beside the
    time that one takes. `now` is on the monotonic clock.
    """
    if not parts.is_listening:
        return "the metrics endpoint does not listen"
    if not parts.is_armed:
        return "the file watch is not armed yet"
    if parts.phase != "following":
        return _PHASES[parts.phase]
    if parts.reconciled is None:
        return "nothing was compared with the files yet"
    age = now - parts.reconciled
    if age > _MISSED_RECONCILES * reconcile_seconds + parts.took:
        return f"the index is stale: last compared with the files {age:.0f} s ago"
    return None
