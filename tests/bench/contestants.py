"""Who is measured: rolloutd, two releases of Codex, agentsview, and plain reading of the bytes."""

from __future__ import annotations

import compileall
import json
import os
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import rolloutd
from tests.oracle.app_server import clean_environment
from tests.oracle.releases import ReleaseUnavailableError, release

from .agentsview import AGENTSVIEW, AgentsView, installed
from .measure import Measured, RunError, environment, plain_reading, until_answer, until_end
from .trees import Tree

ROLLOUTD = "rolloutd"
CODEX_NEW = "codex 0.169.0"
CODEX_OLD = "codex 0.130.0"
PLAIN = "plain reading"


class Contestant(Protocol):
    """Something that can be measured on a tree."""

    @property
    def name(self) -> str:
        """What it is called in the report."""

    def run(self, tree: Tree, folder: Path) -> Measured:
        """Do the work once, from nothing, with an empty `folder` for all it writes.

        Raises RunError if what came out is not right: the cost would mean nothing.
        """


@dataclass(frozen=True, slots=True)
class PlainReading:
    """The limit: the page cache copied, block by block, by one Python process."""

    name: str = PLAIN

    def run(self, tree: Tree, folder: Path) -> Measured:
        """Read everything."""
        measured, _ = until_end(plain_reading(tree.home), folder, os.environ)
        if measured.read < tree.bytes:
            raise RunError(f"read {measured.read} bytes of {tree.bytes}")
        return measured


@dataclass(frozen=True, slots=True)
class Rolloutd:
    """`rolloutd backfill` into a new database, by this Python."""

    name: str = ROLLOUTD

    def run(self, tree: Tree, folder: Path) -> Measured:
        """Backfill, and check what it says it did."""
        database = folder / "state.sqlite"
        command = [sys.executable, "-m", "rolloutd", "backfill", "--json"]
        measured, stdout = until_end(command, folder, environment(tree.home, database))
        try:
            said = json.loads(stdout)
            scanned, failed = said["scanned"], said["failed"]
        except (ValueError, KeyError) as error:
            raise RunError(f"not the summary of a backfill: {stdout[:200]!r}") from error
        if (scanned, failed) != (tree.files, 0):
            raise RunError(f"{scanned} of {tree.files} scanned, {failed} failed")
        _check_threads(database, tree)
        return measured


@dataclass(frozen=True, slots=True)
class Codex:
    """A release of Codex, from its start until it answers: it backfills before it does."""

    name: str
    binary: Path

    def run(self, tree: Tree, folder: Path) -> Measured:
        """Start with a new home, whose rollouts are those of the tree by links to its folders."""
        for part in tree.home.iterdir():
            (folder / part.name).symlink_to(part)
        client = {"name": "bench", "title": "bench", "version": "0"}
        request = {"id": 1, "method": "initialize", "params": {"clientInfo": client}}
        command = [str(self.binary), "app-server"]
        measured = until_answer(command, folder, clean_environment(folder), request)
        _check_threads(folder / "state_5.sqlite", tree)
        return measured


def contestants() -> tuple[list[Contestant], dict[str, str]]:
    """Return who is there, and of those who are not the reason."""
    # As what is installed from a wheel is, whatever this Python writes down of a checkout.
    compileall.compile_dir(Path(rolloutd.__file__).parent, quiet=1)
    there: list[Contestant] = [Rolloutd()]
    missing = {}
    for name in (CODEX_NEW, CODEX_OLD):
        try:
            there.append(Codex(name, release(name.removeprefix("codex "))))
        except ReleaseUnavailableError as error:
            missing[name] = str(error)
    try:
        there.append(AgentsView(installed()))
    except RunError as error:
        missing[AGENTSVIEW] = str(error)
    return [*there, PlainReading()], missing


def _check_threads(database: Path, tree: Tree) -> None:
    """Raise RunError unless every rollout has its row, and its turn_context was understood."""
    query = "SELECT count(*), count(reasoning_effort), count(nullif(first_user_message, ''))"
    try:
        with closing(sqlite3.connect(database)) as connection:
            rows = connection.execute(f"{query} FROM threads").fetchone()
    except sqlite3.Error as error:
        raise RunError(f"{database.name}: {error}") from error
    if rows != (tree.files,) * 3:
        raise RunError(f"{rows} threads, with effort, with message, where {tree.files} are due")
