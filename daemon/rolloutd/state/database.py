"""The open database: its transactions, and what may be wrong with it."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from rolloutd.state.connections import (
    PATIENCE_SECONDS,
    Connection,
    Connections,
    reading,
    use_wal,
    writing,
)
from rolloutd.state.faults import (
    CorruptDatabase,
    DatabaseReplaced,
    can_share,
    explained,
    refuse_absence,
    refuse_irregular,
)
from rolloutd.state.file import (
    MAGIC,
    create_private,
    drop_sidecars,
    identity_of,
    make_private,
    sidecars_of,
)
from rolloutd.state.migrate import migrate, revision_of
from rolloutd.state.revision import refuse_other_revision
from rolloutd.state.schema import TABLES
from rolloutd.state.soundness import doubted, refuse_unsound
from rolloutd.state.stamp import Untouched, files_of


class StateDatabase:
    """An open database. Whoever opens it closes it, and passes it on until then.

    A writer holds one connection: one process has one writer. A reader never migrates and
    never changes the file.
    """

    def __init__(
        self,
        path: Path,
        connections: Connections,
        descriptor: int | None = None,
        sidecars: Mapping[Path, tuple[int, int]] = MappingProxyType({}),
        *,
        patience: float = PATIENCE_SECONDS,
        waited: Callable[[], None] | None = None,
    ) -> None:
        self.path = path
        self._waited = waited
        self._patience = patience
        self._connections = connections
        self._file = identity_of(path)
        self._descriptor = descriptor
        self._sidecars = sidecars
        self._untouched = Untouched(*files_of(path))
        self._version: int | None = None

    def refuse_other_file(self) -> None:
        """See that the path still leads to the file that was opened; costs next to nothing.

        Raises:
            DatabaseReplaced: to none, or to another one, or its log is not there any more.
            CorruptDatabase: somebody has written something else over it.
            DatabaseUnavailable: it cannot be told.
        """
        if self._file is None or identity_of(self.path) != self._file:
            raise DatabaseReplaced(self.path, "deleted or replaced while it was worked on")
        if any(identity_of(file) != identity for file, identity in self._sidecars.items()):
            raise DatabaseReplaced(self.path, "its log was deleted while it was worked on")
        # SQLite itself may not notice for as long as it finds all it needs in its cache and WAL.
        with explained(self.path):
            if self._descriptor is not None and os.pread(self._descriptor, 16, 0) != MAGIC:
                raise CorruptDatabase(self.path, "was overwritten")

    def foreign_changes(self) -> int:
        """A number that is another one when anybody else has changed the database.

        Of a writer, which holds one connection: it is that connection's own.
        """
        is_untouched = self._untouched()
        if self._version is None or not is_untouched:
            self._version = None
            with self.reading() as connection:
                self._version = connection.value("PRAGMA data_version")
        return self._version

    def look_anew(self) -> None:
        """See what whoever opens the database now will find, not what our own cache remembers.

        Raises:
            CorruptDatabase: it is damaged where anybody looks first.
            DatabaseUnavailable: it cannot be told.
        """
        with self.reading() as connection:
            connection.execute("PRAGMA shrink_memory")
            for table in TABLES:
                connection.execute(f"SELECT * FROM {table.name} LIMIT 1").fetchone()  # noqa: S608

    def refuse_unsound(self) -> None:
        """See `soundness.refuse_unsound`, and `revision.refuse_other_revision`."""
        with self.reading() as connection:
            refuse_other_revision(revision_of(connection, self.path), self.path)
            refuse_unsound(self.path, connection)

    def checkpoint(self) -> None:
        """Move what the WAL holds into the database, as far as readers allow."""
        with explained(self.path), self._connections.lent() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @classmethod
    @contextmanager
    def open_writer(
        cls,
        path: Path,
        *,
        patience: float = PATIENCE_SECONDS,
        waited: Callable[[], None] | None = None,
    ) -> Iterator["StateDatabase"]:
        """Open for writing; create or migrate where needed.

        `patience` is how long to wait for another process's transaction, in seconds; `waited` is
        called every now and then meanwhile.

        Raises:
            CorruptDatabase: see there; `set_aside` makes room for a new one.
            DatabaseUnavailable: it cannot be opened, is newer than us, or is not rolloutd's.
        """
        with explained(path):
            refuse_irregular(path)
            create_private(path)
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        connections = Connections(path, writes=True)
        file, sidecars = identity_of(path), {}
        try:
            with explained(path):
                migrate(connections, path, patience)
                use_wal(connections, patience)
                make_private(path)
            sidecars = sidecars_of(path)
            database = cls(
                path, connections, descriptor, sidecars, patience=patience, waited=waited
            )
            with doubted(database.refuse_unsound):
                yield database
        finally:
            connections.close()
            if identity_of(path) != file:
                drop_sidecars(sidecars)
            # Only now: closing any descriptor of a file gives up a process's locks on it.
            os.close(descriptor)

    @classmethod
    @contextmanager
    def open_reader(cls, path: Path) -> Iterator["StateDatabase"]:
        """Open read-only.

        Raises:
            DatabaseUnavailable: there is none, it is unreadable, or of another revision.
        """
        with explained(path):
            refuse_absence(path)
            shared = can_share(path)
        connections = Connections(path, writes=False, immutable=not shared)
        try:
            with explained(path), reading(connections) as connection:
                revision = revision_of(connection, path)
            refuse_other_revision(revision, path)
            database = cls(path, connections)
            with doubted(database.refuse_unsound):
                yield database
        finally:
            connections.close()

    @contextmanager
    def transaction(self, patience: float | None = None) -> Iterator[Connection]:
        """A write transaction, taken at once; committed at the end unless an error passes.

        Raises:
            DatabaseBusy: another process kept the write lock for `patience` seconds (as long as
                was said when opening, unless given).
        """
        seconds = self._patience if patience is None else patience
        with explained(self.path), writing(self._connections, seconds, self._waited) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one consistent look at the database."""
        with explained(self.path), reading(self._connections) as connection:
            yield connection
