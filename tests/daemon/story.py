"""A day in one home: three releases hold sessions in it at once, and a daemon watches it.

Every step of theirs waits until the database shows what Codex told of it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.daemon.living import Daemon, living, wait_until_true
from tests.daemon.sessions import Served, execute
from tests.daemon.tracing import tracer_of, tracing
from tests.daemon.users import User
from tests.daemon.witness import Witness
from tests.faults.processes import lives
from tests.oracle.driver import codex_home
from tests.oracle.homes import talk
from tests.oracle.mock_responses import MockResponses, mock_responses
from tests.oracle.naming import set_mtimes
from tests.running import Place, wait_until

RELEASES = ("0.99.0", "0.130.0", "0.169.0")
PROVIDER = "mock"
"""What their configuration names."""

_BOUND_SECONDS = 15.0
# Not in this day: what shows was seen when it happened.
_RECONCILE_SECONDS = "3600"


@dataclass
class Day:
    """What is left of it.

    Attributes:
        work: the folder that the sessions worked in.
        names: of the threads, by id.
        records: of each of the daemon's lives, what it did with files; none if not traced.
    """

    place: Place
    witness: Witness
    work: Path
    log: Path
    names: dict[str, str] = field(default_factory=dict)
    records: list[Path] = field(default_factory=list)

    @contextmanager
    def watched(self, phase: str, *, traced: bool) -> Iterator[Daemon]:
        """A daemon that watches the home."""
        prefix: tuple[str, ...] = ()
        if traced:
            self.records.append(self.place.root / f"record-{len(self.records)}")
            prefix = tracing(self.records[-1])
        with living(
            self.place, phase=phase, prefix=prefix, ROLLOUTD_RECONCILE_SECONDS=_RECONCILE_SECONDS
        ) as daemon:
            tracer = tracer_of(daemon.process.pid) if traced else None
            yield daemon
        wait_until(lambda: tracer is None or not lives(tracer), "its record is complete")


def live(root: Path, *, traced: bool) -> Day:
    """Live through the day; at its end the daemon has stopped, and has seen everything.

    The home has no `sessions/` when it begins. In the middle of it the daemon is killed, and
    another one started.
    """
    place = Place.make(root)
    (place.home / "sessions").rmdir()
    witness = Witness(place.database, _BOUND_SECONDS)
    day = Day(place, witness, root / "work", root / "log")
    with ExitStack() as stack:
        mock = stack.enter_context(mock_responses(talk))
        pool = stack.enter_context(ThreadPoolExecutor(2 * len(RELEASES)))
        stack.enter_context(witness.looking())
        killed = stack.enter_context(day.watched("waiting", traced=traced))
        with ExitStack() as sessions:
            users = [_user(day, version, mock, sessions) for version in RELEASES]
            _at_once(pool, *(step for user in users for step in (user.serve, user.execute)))
            with witness.patient():
                steps = [step for user in users for step in (user.serve_on, user.execute_on)]
                ended = as_completed([pool.submit(step) for step in steps])
                next(ended).result()
                killed.process.kill()
                next(ended).result()
                daemon = stack.enter_context(day.watched("following", traced=traced))
                for each in ended:
                    each.result()
            _at_once(pool, *(user.serve_last for user in users))
        _keep_house(users, pool)
        wait_until_true(place, provider=PROVIDER)
        set_mtimes(place.home)
        wait_until_true(place, provider=PROVIDER)
        daemon.stop(seconds=_BOUND_SECONDS)  # It may be traced, and is slow then.
    for user in users:
        version = user.codex.version
        day.names |= {each: f"{version} {role}" for role, each in user.threads.items()}
    return day


def _user(day: Day, version: str, mock: MockResponses, sessions: ExitStack) -> User:
    codex = codex_home(version, day.place.home, mock)
    cwd = day.work / version
    cwd.mkdir(parents=True)
    served = Served(sessions.enter_context(codex.app_server()), cwd, day.witness)
    return User(codex, cwd, day.witness, served)


def _at_once(pool: ThreadPoolExecutor, *steps: Callable[[], None]) -> None:
    for each in [pool.submit(step) for step in steps]:
        each.result()


def _keep_house(users: list[User], pool: ThreadPoolExecutor) -> None:
    """Newer releases take over, and 0.169.0 compresses, migrates and deletes, beside sessions."""
    oldest, older, newest = users
    main, held = oldest.threads["main"], "held"
    with older.codex.app_server() as server, newest.codex.app_server() as newest_server:
        older.served = Served(server, older.cwd, older.witness)
        newest.served = Served(newest_server, newest.cwd, newest.witness)
        older.start(held)
        newest.served.resume(main, "taken over")
        newest.served.resume(older.threads["compacted"], "taken over")
        late = oldest.threads["exec late"]
        execute(older.codex, older.witness, "taken over", older.cwd, late)
        newest.threads["fork of old"] = newest.served.fork(oldest.threads["exec"], "in it")
        newest.served.delete(newest.threads.pop("late"))

        ids = [user.threads[role] for user in users for role in ("exec", "fork", "kept")]
        cold = {path: each for path in newest.codex.rollouts for each in ids if each in path.name}
        compressing = pool.submit(newest.codex.compress, list(cold))
        older.served.turn(older.threads[held], "while compressing")
        newest.served.turn(main, "while compressing")
        compressing.result()
        for path, thread_id in cold.items():
            newest.witness.expect(thread_id, rollout_path=f"{path}.zst")

        legacy = [older.threads["late"], older.threads["exec late"], late]
        migrating = pool.submit(newest.codex.migrate, *legacy)
        older.served.turn(older.threads[held], "while migrating")
        newest.served.turn(main, "while migrating")
        migrating.result()
        for thread_id in legacy:
            newest.witness.expect(thread_id, history_mode="paginated")

        newest.served.resume(newest.threads["exec"], "after compression")
        newest.served.resume(older.threads["exec late"], "after migration")
        newest.served.unarchive(older.threads["fork"])
