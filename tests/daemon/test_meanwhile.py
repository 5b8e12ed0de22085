"""What is followed while the readers are at work for something longer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rolloutd.batches import Terms
from rolloutd.hints import Hints, Mailbox
from rolloutd.monitor import Monitor
from rolloutd.steady import Keeping
from rolloutd.telling import Progress
from tests.daemon.living import append, wait_until_true
from tests.oracle.cases_build import tokens
from tests.running import Place, dump, wait_until, watermark

pytestmark = pytest.mark.alone

FILES = 300


class Worker:
    """The worker of a daemon, in a thread; hints come to it once it is reading a lot."""

    def __init__(self, place: Place, meanwhile: Hints) -> None:
        self.mailbox = Mailbox()
        self.progress = Progress(self._tell)
        self.posted = 0
        self._meanwhile = meanwhile
        keeping = Keeping(place.home, place.database, "openai", Terms(), reconcile_seconds=600)
        self._monitor = Monitor(keeping, self.mailbox, self.progress)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self._monitor.run)
        thread.start()
        try:
            wait_until(lambda: self.progress.phase == "following", "it follows")
            yield
        finally:
            self.mailbox.stop()
            thread.join(10)
        assert not thread.is_alive()

    def _tell(self, now: bool) -> None:  # noqa: FBT001
        if self.progress.phase == "following" and not now and self.posted < 3:
            self.posted += 1
            self.mailbox.post(self._meanwhile)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in range(FILES):
        made.thread(number)
    made.index()
    return made


@pytest.mark.parametrize("told", ["files", "directories"])
def test_many_files_change_while_many_are_read(place: Place, told: str) -> None:
    paths = [watermark(number) for number in range(FILES)]
    meanwhile = Hints(files=dict.fromkeys(paths))
    if told == "directories":
        meanwhile = Hints(directories={"sessions": None})
    worker = Worker(place, meanwhile)
    with worker.at_work():
        for path in paths:
            append(place.home / path, tokens(7))
        worker.mailbox.ask_reconcile(urgent=True)
        wait_until_true(place)
        assert worker.posted == 3
    assert dump(place.database) == place.fresh()
