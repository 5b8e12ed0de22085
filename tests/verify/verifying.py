"""Verifying in this process, where running the command is not the matter."""

from pathlib import Path

from rolloutd.batches import Terms
from rolloutd.progress import QuietObserver
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state.database import StateDatabase
from rolloutd.verify.findings import Finding, Kind
from rolloutd.verify.repair import Repair, Verified
from rolloutd.verify.verification import Verification
from tests.running import Place, never

TERMS = Terms(wait_seconds=5)


def verified(
    home: Path,
    database: Path,
    *,
    deep: bool = False,
    repair: bool = False,
    provider: str = "openai",
    terms: Terms = TERMS,
) -> Verified:
    """`rolloutd verify`, from opening to closing, with a single reader process."""
    opening = StateDatabase.open_writer if repair else StateDatabase.open_reader
    with ReaderPool(str(home), 1) as pool, opening(database) as opened:
        common = (opened, home, provider, pool, QuietObserver())
        verification = Verification(*common, terms=terms, stopping=never, deep=deep)
        if not repair:
            return Verified(verification.run())
        return Repair(*common, terms=terms, stopping=never).run(verification)


def verify(place: Place, *, deep: bool = False, repair: bool = False) -> Verified:
    """The same, of a place."""
    return verified(place.home, place.database, deep=deep, repair=repair)


def drift(place: Place, *, deep: bool = False) -> dict[Kind, list[Finding]]:
    """What is found, by kind."""
    found: dict[Kind, list[Finding]] = {}
    for finding in verify(place, deep=deep).found.drift:
        found.setdefault(finding.kind, []).append(finding)
    return found
