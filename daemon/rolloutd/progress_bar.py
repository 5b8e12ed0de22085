"""The progress bar of `rolloutd backfill` and `rolloutd verify`."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from rolloutd.backfill import describe_holder
from rolloutd.state.lease import BackfillState


class BarObserver:
    """Draws on standard error; what it drew is gone when it is done."""

    def __init__(self, work: str) -> None:
        self._work = work
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[files]}"),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task(work, total=None, files="")
        self._files = 0
        self._expected = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def looking(self) -> None:
        """It moves by itself until there is a length."""

    def expect(self, files: int, size: int) -> None:
        """Begin a bar of that length."""
        self._files, self._expected = 0, files
        self._progress.reset(self._task, total=size, files=self._counted(), description=self._work)

    def advance(self, files: int, size: int) -> None:
        """Move it on."""
        self._files += files
        self._progress.update(self._task, advance=size, files=self._counted())

    def wait(self, state: BackfillState) -> None:
        """Show the other worker's progress instead."""
        self._progress.update(self._task, description=f"waiting: {describe_holder(state)}")

    def _counted(self) -> str:
        return f"{self._files}/{self._expected} files"
