"""Steps that move rollouts and folders of them about."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.running import Place, watermark


class PlaceSteps:
    """Each takes the number of a thread, and an amount."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def kinds(self) -> dict[str, Callable[[int, int], None]]:
        return {
            "archive": self._archive,
            "unarchive": self._unarchive,
            "nest": self._nest,
            "flatten": self._flatten,
            "swap": self._swap,
            "remove_day": self._remove_day,
            "move_day": self._move_day,
            "copy_day": self._copy_day,
            "link_day": self._link_day,
        }

    def _path(self, number: int) -> Path:
        return self._place.home / watermark(number)

    def _archived(self, number: int) -> Path:
        return self._place.home / watermark(number, root="archived_sessions")

    def _nested(self, number: int, amount: int) -> Path:
        path = self._path(number)
        return path.parent / f"deep-{amount % 2}" / "er" / path.name

    def _archive(self, number: int, _amount: int) -> None:
        self._archived(number).parent.mkdir(exist_ok=True)
        self._path(number).rename(self._archived(number))

    def _unarchive(self, number: int, _amount: int) -> None:
        self._archived(number).rename(self._path(number))

    def _nest(self, number: int, amount: int) -> None:
        """Down into folders that are new, or hold others already."""
        self._path(number).stat()
        nested = self._nested(number, amount)
        nested.parent.mkdir(parents=True, exist_ok=True)
        self._path(number).rename(nested)

    def _flatten(self, number: int, amount: int) -> None:
        self._nested(number, amount).rename(self._path(number))
        shutil.rmtree(self._nested(number, amount).parents[1])

    def _swap(self, number: int, amount: int) -> None:
        """Two files exchange their names: neither is new."""
        one, two = self._path(number), self._path(amount % 3)
        if one != two and two.exists():
            one.rename(self._place.root / "moving")
            two.rename(one)
            (self._place.root / "moving").rename(two)

    def _remove_day(self, number: int, _amount: int) -> None:
        day = self._path(number).parent
        if day.is_symlink():
            day.unlink()
        else:
            shutil.rmtree(day)

    def _move_day(self, number: int, amount: int) -> None:
        """There and, by the next such step, back."""
        day, other = self._days(number, amount)
        (other if other.exists() else day).rename(day if other.exists() else other)

    def _copy_day(self, number: int, amount: int) -> None:
        day, other = self._days(number, amount)
        shutil.copytree(day, other, symlinks=True)

    def _link_day(self, number: int, amount: int) -> None:
        """A symbolic link, below which nothing counts, in the place of a folder; and back."""
        day, _ = self._days(number, amount)
        elsewhere = self._place.root / day.name
        if day.is_symlink():
            day.unlink()
            elsewhere.rename(day)
        elif not elsewhere.exists():
            day.rename(elsewhere)
            day.symlink_to(elsewhere)

    def _days(self, number: int, amount: int) -> tuple[Path, Path]:
        day = self._path(number).parent
        return day, day.with_name(f"{day.name}-{amount % 2}")
