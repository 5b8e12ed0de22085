"""What may happen to a home, as plain steps that a property test can draw."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.daemon.tree_files import FileSteps
from tests.daemon.tree_places import PlaceSteps
from tests.running import Place, thread_id

# Few threads, so that steps meet on the same ones; on two days.
NUMBERS = (0, 1, 2, 360, 361)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens; `amount` is whatever its kind makes of it."""

    kind: str
    number: int
    amount: int


class Tree:
    """Applies steps to a home; one that does not fit there does nothing."""

    def __init__(self, place: Place) -> None:
        self._home = place.home
        self._sessions = place.home / "sessions"
        self._away = place.root / "away"
        self._away_home = place.root / "away-home"
        self._linked = place.root / "linked"
        self._files = FileSteps(place)
        self._places = PlaceSteps(place)

    @property
    def kinds(self) -> dict[str, Callable[[int, int], None]]:
        return {
            **self._files.kinds,
            **self._places.kinds,
            "name": self._name,
            "rename": self._rename,
            "unname": self._unname,
            "remove_root": self._remove_root,
            "root_goes": self._root_goes,
            "root_comes": self._root_comes,
            "root_is_linked": self._root_is_linked,
            "root_is_unlinked": self._root_is_unlinked,
            "home_goes": self._home_goes,
            "home_comes": self._home_comes,
        }

    def apply(self, step: Step) -> None:
        # What is away is not written to: that would make another one in its place.
        is_away = not self._sessions.is_dir()
        if is_away and step.kind in self._files.kinds:
            return
        with suppress(OSError):
            self.kinds[step.kind](step.number, step.amount)

    def settle(self) -> None:
        """Bring back what is away: then a fresh backfill can be asked."""
        self._home_comes(0, 0)
        self._root_comes(0, 0)
        self._sessions.mkdir(exist_ok=True)
        (self._home / "archived_sessions").mkdir(exist_ok=True)

    def _name(self, number: int, amount: int) -> None:
        with (self._home / "session_index.jsonl").open("a") as file:
            file.write(f'{{"id":"{thread_id(number)}","thread_name":"name {amount}"}}\n')

    def _rename(self, number: int, amount: int) -> None:
        """A whole new index in the place of the old one, as an editor saves it."""
        text = f'{{"id":"{thread_id(number)}","thread_name":" "}}\nnot a name\n'
        text += f'{{"id":"{thread_id(number + 1)}","thread_name":"renamed {amount}"}}'
        new = self._home / "session_index.new"
        new.write_text(text)
        new.rename(self._home / "session_index.jsonl")

    def _unname(self, _number: int, _amount: int) -> None:
        (self._home / "session_index.jsonl").unlink()

    def _remove_root(self, _number: int, _amount: int) -> None:
        if self._sessions.is_symlink():
            self._sessions.unlink()
        else:
            shutil.rmtree(self._sessions)

    def _root_goes(self, _number: int, _amount: int) -> None:
        if not self._away.exists():
            self._sessions.rename(self._away)

    def _root_comes(self, _number: int, _amount: int) -> None:
        if self._away.exists():
            if self._sessions.exists():
                self._remove_root(0, 0)
            self._home.mkdir(exist_ok=True)
            self._away.rename(self._sessions)

    def _root_is_linked(self, _number: int, _amount: int) -> None:
        """The root becomes a symbolic link to where its files are now."""
        if not self._linked.exists() and not self._sessions.is_symlink():
            self._sessions.rename(self._linked)
            self._sessions.symlink_to(self._linked)

    def _root_is_unlinked(self, _number: int, _amount: int) -> None:
        if self._sessions.is_symlink() and self._linked.exists():
            self._sessions.unlink()
            self._linked.rename(self._sessions)

    def _home_goes(self, _number: int, _amount: int) -> None:
        if not self._away_home.exists():
            self._home.rename(self._away_home)

    def _home_comes(self, _number: int, _amount: int) -> None:
        if self._away_home.exists():
            shutil.rmtree(self._home, ignore_errors=True)
            self._away_home.rename(self._home)
