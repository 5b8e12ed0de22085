"""What is said of the index as a whole: its home, the names, the progress; and what is noted."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from rolloutd.rollout.discovery import Discovery
from rolloutd.rollout.names import segment_of
from rolloutd.rollout.session_index import read_session_names
from rolloutd.sight import Sight
from rolloutd.state import rollouts, tally
from rolloutd.state.connections import Connection
from rolloutd.state.home import binding_of
from rolloutd.state.lease import BackfillState, read_state
from rolloutd.state.stored import threads_of_several_files
from rolloutd.state.threads import stored_names
from rolloutd.verify.findings import Finding, Kind

_log = logging.getLogger(__name__)


def session_names(home: Path) -> dict[str, str] | None:
    """The names of the session index; None if it cannot be read."""
    try:
        return read_session_names(home)
    except OSError as error:
        _log.warning("the session index cannot be read: %s", error.strerror)
        return None


def compare_names(connection: Connection, names: Mapping[str, str] | None) -> Iterator[Finding]:
    """Threads whose name is another one in the session index."""
    if names is None:
        return
    stored = stored_names(connection)
    for thread_id in sorted(stored.keys() | names.keys()):
        if stored.get(thread_id) != names.get(thread_id):
            yield Finding(Kind.NAMES, thread_id=thread_id)


def compare_home(connection: Connection, home: str, provider: str) -> Iterator[Finding]:
    """Whether rows rest on this home, so spelt, and on this default provider."""
    bound = binding_of(connection)
    if bound is None:
        yield Finding(Kind.HOME, detail="not said")
        return
    for name, said, is_now in zip(
        ("home", "default provider"), bound, (home, provider), strict=True
    ):
        if said != is_now:
            yield Finding(Kind.HOME, detail=f"{name} {said}, now {is_now}")


def compare_state(connection: Connection) -> Iterator[Finding]:
    """Whether the progress is that of the rows; while somebody works, it may lag behind."""
    state = read_state(connection)
    if is_at_work(state):
        return
    if state.is_torn:
        yield Finding(Kind.STATE, detail="held by nobody who could")
    if state.status != "complete":
        yield Finding(
            Kind.STATE, detail=f"{state.status}, {state.scanned} of {state.total} files scanned"
        )
        return
    totals = tally.totals(connection)
    files = totals.indexed + totals.failed
    said = (state.last_watermark, state.total, state.scanned, state.upserted, state.failed)
    if said != (totals.last_path, files, files, totals.indexed, totals.failed):
        yield Finding(Kind.STATE, detail=f"{state.scanned} files scanned, there are {files} rows")


def is_at_work(state: BackfillState) -> bool:
    """Whether somebody holds the work, for all that can be told."""
    return state.owner is not None and not state.owner.is_provably_gone()


def notes(connection: Connection, discovery: Discovery) -> Iterator[Finding]:
    """What is no drift, but worth knowing."""
    closed = {*discovery.unlisted, *tally.closed_paths(connection)}
    errors = dict(tally.failures(connection))
    for path, error in errors.items():
        yield Finding(Kind.UNREACHABLE if path in closed else Kind.UNINDEXABLE, path, detail=error)
    for path in discovery.unlisted:
        if path not in errors:
            yield Finding(Kind.UNREACHABLE, path, detail="directory that cannot be listed")
    for thread_id, paths in threads_of_several_files(connection):
        segments = [segment_of(path) for path in paths]
        if len(set(segments)) < len(segments):
            yield Finding(Kind.DUPLICATE, thread_id=thread_id, paths=tuple(paths))
    sight = Sight(discovery.home)
    present = {each.path for each in discovery.candidates}
    for path, row in rollouts.seen(connection):
        if path not in present and not sight.is_gone(
            path, row.device, discovery=discovery, there=present
        ):
            yield Finding(Kind.UNREACHABLE, path)
