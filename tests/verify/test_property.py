"""Whatever is done to the rows: a deep look finds it, and repairing makes the database true."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from rolloutd.state.faults import CorruptDatabase
from rolloutd.state.schema import TABLES
from tests.running import Place, dump, index, rows
from tests.verify.everything import make
from tests.verify.verifying import verified

SEED = int(os.environ.get("TESTS_SEED") or random.SystemRandom().getrandbits(32))

# Why the work was left, and when it was done, is not of the files; of another home
# than the one that is given nothing can be said.
LEFT_ALONE = {
    "backfill_state": {"id", "reason", "last_success_at", "updated_at"},
    "home": {"id", "codex_home"},
    "rollouts": {"indexed_at_ms"},
}
COLUMNS = [
    (table.name, column)
    for table in TABLES
    for column in table.columns
    if column not in LEFT_ALONE.get(table.name, ())
]
NUMBERS = {
    (table.name, column)
    for table in TABLES
    for column, declared in table.columns.items()
    if declared.startswith("INTEGER")
}


@dataclass(frozen=True, slots=True)
class Corruption:
    """One row of a table loses a column's value to another's, to one made up, or is deleted."""

    column_of: tuple[str, str]
    row: int
    how: str
    amount: int

    def apply(self, connection: sqlite3.Connection) -> None:
        table, name = self.column_of
        found = connection.execute(f"SELECT rowid FROM {table} ORDER BY rowid").fetchall()
        if not found:
            return
        rowid, donor = found[self.row % len(found)][0], found[self.amount % len(found)][0]
        where = f"WHERE rowid = {rowid}"
        if self.how == "delete":
            connection.execute(f"DELETE FROM {table} {where}")
            return
        is_number = self.column_of in NUMBERS
        made_up: dict[str, object] = {
            "null": None,
            "empty": 0 if is_number else "",
            "value": self.amount - 5 if is_number else f"text {self.amount}",
        }
        column = f'"{name}"'
        if self.how in made_up:
            new: object = made_up[self.how]
        else:
            ask = f"SELECT {column} FROM {table} WHERE rowid = {donor}"
            [(new,)] = connection.execute(ask)
        connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ? {where}", (new,))


corruptions = st.builds(
    Corruption,
    st.sampled_from(COLUMNS),
    st.integers(0, 20),
    st.sampled_from(["null", "empty", "value", "other", "other", "delete"]),
    st.integers(0, 20),
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place.make(tmp_path_factory.mktemp("original"))
    make(place)
    return place


def check(original: Place, drawn: list[Corruption]) -> None:
    print(f"TESTS_SEED={SEED}")
    true = dump(original.database)
    database = original.root / "copy" / "state.sqlite"
    shutil.rmtree(database.parent, ignore_errors=True)
    shutil.copytree(original.database.parent, database.parent)
    with closing(sqlite3.connect(database)) as connection, connection:
        for corruption in drawn:
            corruption.apply(connection)
    is_true = dump(database) == true
    try:
        found = verified(original.home, database, deep=True).found
    except CorruptDatabase:
        # Without its progress it is none of ours, and is built anew.
        assert not rows(database, "SELECT 1 FROM backfill_state")
        database.unlink()
        index(original.home, database)
        assert dump(database) == true
        return
    assert (not found.drift) == is_true, found
    result = verified(original.home, database, deep=True, repair=True)
    assert result.is_true, result
    assert dump(database) == true


bounded = settings(suppress_health_check=list(HealthCheck), deadline=None, print_blob=True)
Test = Callable[[Place, list[Corruption]], None]


@pytest.mark.timeout(300)
@seed(SEED)
@settings(bounded, max_examples=25, database=None)
@given(drawn=st.lists(corruptions, min_size=1, max_size=8))
def test_what_is_wrong_is_found_and_repaired(original: Place, drawn: list[Corruption]) -> None:
    check(original, drawn)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@seed(SEED)
@settings(bounded, max_examples=2000, database=None)
@given(drawn=st.lists(corruptions, min_size=1, max_size=20))
def test_the_same_for_long(original: Place, drawn: list[Corruption]) -> None:
    check(original, drawn)
