"""Reading in this process: for little work, or where one file is at stake."""

from collections.abc import Callable, Iterable, Iterator

from rolloutd.records import Reading
from rolloutd.rollout.messages import Job
from rolloutd.rollout.reading import read_rollout


def read_here(
    home: str, jobs: Iterable[Job], tick: Callable[[int], None]
) -> Iterator[tuple[Job, Reading | None]]:
    """As `ReaderPool.read`, without another process."""
    for job in jobs:
        taken = 0

        def on_bytes(count: int) -> None:
            nonlocal taken
            taken += count
            tick(count)

        try:
            reading = read_rollout(home, job.path, job.known, limit=job.limit, on_bytes=on_bytes)
        except FileNotFoundError:
            tick(0)
            yield job, None
        else:
            tick(reading.read - taken)
            yield job, reading
