"""rolloutd as the service of a logged-in user, seen from outside."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.daemon.living import content
from tests.running import Done, dump, thread_id, wait_until, watermark, write
from tests.system.session import HOME, Session

UNIT = "rolloutd.service"
UNITS = Path(".config/systemd/user")
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """One with a Codex home and a database of its own.

    Attributes:
        place: the folder that holds both, relative to the user's home.
        began: what was logged before, epoch seconds, is not its.
    """

    session: Session
    place: Path
    began: float

    @property
    def codex_home(self) -> Path:
        """As seen from here; the user has it under `HOME`."""
        return self.session.home / self.place / "codex"

    @property
    def database(self) -> Path:
        return self.session.home / self.place / "state/state.sqlite"

    @property
    def environment(self) -> dict[str, str]:
        """That of a shell in which the service is installed."""
        return {
            "CODEX_HOME": str(HOME / self.place / "codex"),
            "ROLLOUTD_DATABASE": str(HOME / self.place / "state/state.sqlite"),
            "ROLLOUTD_METRICS_PORT": "0",
        }

    @property
    def unit(self) -> Path:
        return self.session.home / UNITS / UNIT

    def rolloutd(self, *arguments: str, **environment: str) -> Done:
        return self.session.rolloutd(*arguments, **self.environment | environment)

    def install(self, *arguments: str, **environment: str) -> str:
        """`service install`, which must succeed; returns what it prints."""
        done = self.rolloutd("service", "install", *arguments, **environment)
        assert done.code == 0, (done, self.log())
        return done.stdout

    def drop_in(self, **directives: str) -> None:
        """Change the unit as a user would, before it is started."""
        folder = self.session.home / UNITS / f"{UNIT}.d"
        folder.mkdir(parents=True, exist_ok=True)
        self.session.own(self.session.home / UNITS.parts[0])
        lines = [f"{key}={value}\n" for key, value in directives.items()]
        (folder / "tests.conf").write_text("[Service]\n" + "".join(lines))
        self.systemctl("daemon-reload")

    def systemctl(self, *arguments: str) -> str:
        """`systemctl --user`, which must succeed."""
        done = self.session.systemctl(*arguments)
        assert done.code == 0, (done, self.log())
        return done.stdout

    def properties(self) -> dict[str, str]:
        return self.session.properties(UNIT)

    def is_(self, state: str, **properties: str) -> bool:
        """Whether it is in a state, and these of its properties are so."""
        found = self.properties()
        return found["ActiveState"] == state and properties.items() <= found.items()

    def wait_for(self, state: str, **properties: str) -> None:
        try:
            wait_until(lambda: self.is_(state, **properties), f"it is {state}", SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{self.properties()}\n{self.log()}") from error

    def log(self, *, own: bool = False) -> str:
        """What it, and unless `own` systemd about it, has logged."""
        messages = [
            each
            for each in self.session.journal(UNIT)
            if int(each["__REALTIME_TIMESTAMP"]) / 1e6 >= self.began
        ]
        if own:
            messages = [each for each in messages if each.get("SYSLOG_IDENTIFIER") != "systemd"]
        return "\n".join(f"<{each['PRIORITY']}>{each['MESSAGE']}" for each in messages)

    def pids(self) -> set[int]:
        """Its processes, by their pids out here."""
        with suppress(FileNotFoundError):
            group = self.session.group / "app.slice" / UNIT / "cgroup.procs"
            return set(map(int, group.read_text().split()))
        return set()

    def readers(self) -> set[int]:
        found = set()
        for pid in self.pids():
            with suppress(FileNotFoundError, ProcessLookupError):
                if "rolloutd.rollout.worker" in Path(f"/proc/{pid}/cmdline").read_text():
                    found.add(pid)
        return found

    def stop_readers(self) -> set[int]:
        """SIGSTOP all of its reader processes, as soon as there are some."""
        stopped: set[int] = set()

        def are_stopped() -> bool:
            new = self.readers() - stopped
            for pid in new:
                os.kill(pid, signal.SIGSTOP)
            stopped.update(new)
            return bool(stopped) and not new

        wait_until(are_stopped, "its readers are stopped", SECONDS)
        return stopped

    def thread(self, number: int) -> Path:
        """Write the rollout of the thread of that number."""
        path = write(self.codex_home, watermark(number), number=number)
        self.session.own(self.codex_home)
        return path

    def has_thread(self, number: int) -> Callable[[], bool]:
        return lambda: thread_id(number) in content(dump(self.database))

    def wait_until_true(self) -> None:
        """Wait until its database equals one that the user makes anew."""
        fresh = self.place / f"fresh-{time.monotonic_ns()}/state.sqlite"
        done = self.rolloutd("backfill", f"--database={HOME / fresh}")
        assert done.code == 0, done
        expected = content(dump(self.session.home / fresh))
        wait_until(lambda: content(dump(self.database)) == expected, "it is true", SECONDS)

    def remove(self) -> None:
        """Whatever was installed, there is nothing of it any more."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.session.systemctl("stop", UNIT)
        self.session.systemctl("disable", UNIT)
        self.session.run("sh", "-c", f"rm -rf {HOME / UNITS / UNIT}*")
        self.session.systemctl("daemon-reload")
        self.session.systemctl("reset-failed")
