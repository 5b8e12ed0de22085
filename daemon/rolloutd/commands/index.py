"""The index as commands ask it: the database, or the files where there is none."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar

from rolloutd.commands.options import read_places, read_settings
from rolloutd.commands.output import warn
from rolloutd.errors import RolloutdError, WorkHeld
from rolloutd.state.faults import DatabaseAbsent
from rolloutd.state.lookups import Progress, progress_of
from rolloutd.state.reader import StateReader
from rolloutd.state.soundness import doubted
from rolloutd.wording import age_text, counted

_T = TypeVar("_T")

_OLD_SECONDS = 86_400
_LEFT = "some files cannot be looked for now, and their rows are left as they are"


class Index:
    """Whom to ask. `overrides` are options, by the names of their settings.

    With `from_files` the database is left alone, as if there were none.
    """

    def __init__(self, overrides: Mapping[str, Any], *, from_files: bool) -> None:
        self._overrides = overrides
        self._from_files = from_files
        self._has_told = False
        self.places = read_places(overrides)

    @contextmanager
    def database(self) -> Iterator[StateReader | None]:
        """The database, or None where the files have to be asked.

        Raises:
            DatabaseUnavailable, ConfigurationError: it cannot be read, or is another home's.
        """
        with ExitStack() as stack:
            reader = None
            if not self._from_files:
                try:
                    reader = stack.enter_context(StateReader.open(self.places.database))
                except DatabaseAbsent as error:
                    warn(f"{error}; until then the files are read for every question")
                    self._from_files = True
                else:
                    reader.refuse_other_home(self.places.codex_home)
                    self._tell_progress(reader)
            yield reader

    @contextmanager
    def files(self, paths: Sequence[str] | None = None) -> Iterator[StateReader]:
        """The files, or only those at these watermarks, in the guise of a database.

        Raises:
            HomeUnavailable: there are none.
        """
        from rolloutd.supervisor import asked_of_files

        home, provider = self.places.codex_home, self.places.model_provider
        with asked_of_files(home, provider, paths) as reader:
            yield reader

    def ask(self, question: Callable[[StateReader], _T]) -> _T:
        """The answer of the database, or of the files."""
        with self.database() as reader:
            if reader is not None:
                return question(reader)
        with self.files() as reader:
            return question(reader)

    def said(self) -> AbstractContextManager[None]:
        """For saying what the database has answered: what cannot be said may be its damage.

        Raises:
            CorruptDatabase: it is.
        """
        return doubted(self._refuse_unsound)

    def _refuse_unsound(self) -> None:
        with self.database() as reader:
            if reader is not None:
                reader.refuse_unsound()

    def mend(self, stale: Mapping[str, Sequence[str]]) -> bool:
        """Have the rows of these threads mended, of which these files are known.

        To be called while the database is not open here. Says what came of it; returns whether
        the rows are true now.
        """
        if self._from_files or not stale:
            return False
        from rolloutd.supervisor import mend_threads

        what = f"the index was wrong about {counted(len(stale), 'thread')}"
        paths = [path for known in stale.values() for path in known]
        try:
            mended = mend_threads(read_settings(**self._overrides), list(stale), paths)
        except WorkHeld as error:
            warn(f"{what}; left to the holder of the work to mend ({error})")
        except RolloutdError as error:
            warn(f"{what}, and could not be mended: {error}")
        else:
            gone = f" ({mended.dropped} dropped: no file where it was)" if mended.dropped else ""
            warn(f"{what}: {'mended' if mended.is_all else _LEFT}{gone}")
            return mended.is_all
        return False

    def _tell_progress(self, reader: StateReader) -> None:
        doubt = None if self._has_told else _doubt(progress_of(reader), time.time())
        self._has_told = True
        if doubt is not None:
            warn(doubt)


def _doubt(progress: Progress, now: float) -> str | None:
    """Why the database may not know everything; `now` in epoch seconds."""
    holder = "" if progress.pid is None else f", process {progress.pid} on {progress.host}"
    if progress.status == "running":
        state = "not complete yet" if progress.last_success_ms is None else "being rebuilt"
        return f"the index is {state}: {progress.scanned} of {progress.total} files{holder}"
    if progress.status == "pending":
        why = progress.reason or "no backfill has been run"
        return f"the index is not complete ({why}): `rolloutd backfill` goes on with it"
    if progress.pid is not None or progress.last_success_ms is None:
        return None
    age = now - progress.last_success_ms / 1000
    if age < _OLD_SECONDS:
        return None
    return (
        f"the index was true {age_text(age)} ago: `rolloutd backfill` brings it up to date, "
        "`rolloutd run` keeps it so"
    )
