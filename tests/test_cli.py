"""The commands as a user runs them."""

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from rolloutd import __version__
from tests.oracle.cases_build import meta, user
from tests.required import lack
from tests.running import BOUND_SECONDS, Place, dump, rows, state_of, thread_id, wait_until

BACKFILL_KEYS = "status scanned upserted failed parse_errors bytes seconds failures"
STATUS_KEYS = "version codex_home database backfill rollouts threads"
STATE_KEYS = (
    "status last_watermark last_success_at owner lease_expires_at total scanned upserted failed"
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


def test_backfill_and_status(place: Place) -> None:
    """What is asked for has happened before the command returns."""
    place.thread(1)
    (place.home / "sessions" / "rollout-x.jsonl").write_bytes(b"")
    document = place.backfill()
    assert set(BACKFILL_KEYS.split()) <= document.keys()
    assert (document["status"], document["scanned"], document["upserted"]) == ("complete", 2, 1)
    assert document["failures"] == [{"path": "sessions/rollout-x.jsonl", "error": "empty"}]
    assert rows(place.database, "SELECT id FROM threads") == [(thread_id(1),)]

    status = place.status()
    assert set(STATUS_KEYS.split()) <= status.keys()
    assert set(STATE_KEYS.split()) <= status["backfill"].keys()
    assert status["version"] == __version__
    assert (status["codex_home"], status["database"]) == (str(place.home), str(place.database))
    assert status["threads"] == {"active": 1, "archived": 0}
    assert (status["rollouts"]["indexed"], status["rollouts"]["failed"]) == (1, 1)


def test_for_people(place: Place) -> None:
    place.thread(1)
    done = place.run("backfill")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("complete: 1 files scanned, 1 indexed")
    done = place.run("status")
    assert (done.code, done.stderr) == (0, "")
    assert "1 active, 0 archived" in done.stdout
    assert "\x1b" not in done.stdout


def test_options_reach_their_settings(place: Place, tmp_path: Path) -> None:
    place.thread(1, meta(model_provider=...), user())
    database = tmp_path / "given" / "state.sqlite"
    options = ("--database", str(database), "--codex-home", str(place.home))
    more = ("--model-provider", "mine", "--batch-size", "7", "--lease-seconds", "5")
    done = place.run(
        "backfill", *options, *more, "--wait-seconds", "1", CODEX_HOME="/nowhere", HOME="/nowhere"
    )
    assert done.code == 0, done
    assert rows(database, "SELECT model_provider FROM threads") == [("mine",)]
    assert not place.database.exists()
    assert place.run("status", "--json", *options).document["database"] == str(database)


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("backfill", "--no-such-option"),
        ("backfill", "argument"),
        ("backfill", "--batch-size", "many"),
    ],
)
def test_usage(place: Place, arguments: tuple[str, ...]) -> None:
    done = place.run(*arguments)
    assert (done.code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert not place.database.exists()


def test_version_and_help(place: Place) -> None:
    assert place.run("--version").stdout == f"rolloutd {__version__}\n"
    for arguments in (("--help",), ("backfill", "-h"), ("status", "--help")):
        done = place.run(*arguments)
        assert (done.code, done.stderr) == (0, "")
        assert "Usage" in done.stdout


@pytest.mark.parametrize("missing", ["home", "sessions", "a file instead"])
def test_nothing_to_read(place: Place, missing: str) -> None:
    (place.home / "sessions").rmdir()
    if missing != "sessions":
        place.home.rmdir()
    if missing == "a file instead":
        place.home.write_text("not a home")
    done = place.run("backfill", "--json")
    assert (done.code, done.stdout) == (69, "")
    assert str(place.home) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    backfill = place.status()["backfill"]
    assert backfill["status"] == "pending"
    assert str(place.home) in backfill["reason"]


def test_sessions_that_vanish_later_take_no_row_with_them(place: Place) -> None:
    place.thread(1)
    place.index()
    before = dump(place.database)
    (place.home / "sessions").rename(place.home / "away")
    assert place.run("backfill").code == 69
    assert dump(place.database)["threads"] == before["threads"]
    assert state_of(place.database)["owner_token"] is None
    (place.home / "away").rename(place.home / "sessions")
    place.index()
    assert dump(place.database) == before


def test_an_empty_home_is_complete(place: Place) -> None:
    assert place.backfill()["status"] == "complete"
    assert place.status()["threads"] == {"active": 0, "archived": 0}


def test_nothing_private_is_logged(place: Place) -> None:
    secret = "the-secret-prompt"
    path = place.thread(1, meta(cwd=f"/{secret}"), user(secret), b"garbage " + secret.encode())
    (place.home / "sessions" / f"rollout-{secret}.jsonl").write_bytes(b"garbage\n")
    place.index()
    with path.open("ab") as file:
        file.write(user(secret) + b"\n")
    path.with_name(f"rollout-{secret}-2.jsonl").write_bytes(path.read_bytes())
    for arguments in (("backfill",), ("backfill", "--rebuild"), ("status",)):
        done = place.run(*arguments, "--log-level", "info", "--log-format", "json")
        assert done.code == 0
        for private in (secret, thread_id(1), path.name):
            assert private not in done.stderr


def test_codex_home_is_left_as_it_was(place: Place) -> None:
    place.thread(1)
    (place.home / "config.toml").write_text('model_provider = "mine"')

    def state() -> list[tuple[str, int, int]]:
        return sorted(
            (str(each), each.stat().st_mtime_ns, each.stat().st_ctime_ns)
            for each in (place.home, *place.home.rglob("*"))
        )

    before = state()
    place.backfill()
    place.backfill("--rebuild")
    place.status()
    assert state() == before


def test_a_current_directory_cannot_replace_our_modules(place: Place, tmp_path: Path) -> None:
    """A reader must not import `rolloutd` or `msgspec` from where the user happens to be."""
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("msgspec.py", "zstandard.py"):
        (evil / name).write_text("raise SystemExit('replaced')")
    place.thread(1)
    command = [str(Path(sys.executable).with_name("rolloutd")), "backfill", "--json"]
    ended = subprocess.run(
        command,
        cwd=evil,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended
    assert json.loads(ended.stdout)["upserted"] == 1


def on_a_terminal(place: Place, *arguments: str, **environment: str) -> tuple[str, str]:
    """Run with standard error on a terminal; returns standard output, and what the terminal got."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "rolloutd", *arguments],
        env=place.environment | {"TERM": "xterm", **environment},
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
    ) as process:
        os.close(slave)
        shown = b""
        try:
            while data := os.read(master, 65536):
                shown += data
        except OSError:  # Linux says the end of a terminal so
            pass
        output, _ = process.communicate(timeout=BOUND_SECONDS)
        os.close(master)
    assert process.returncode == 0, (output, shown)
    return output, shown.decode()


def test_a_bar_on_a_terminal(place: Place) -> None:
    for number in range(300):
        place.thread(number)
    output, shown = on_a_terminal(place, "backfill", "--json", "--batch-size", "5")
    assert json.loads(output)["upserted"] == 300
    assert re.search(r"\d+/300 files", shown)
    output, shown = on_a_terminal(place, "backfill", "--rebuild", "--json", NO_COLOR="1")
    assert json.loads(output)["upserted"] == 300
    assert not re.search(r"\x1b\[[\d;]*[1-9]\d*m", re.sub(r"\x1b\[[012]m", "", shown))


def test_output_that_nobody_reads(place: Place) -> None:
    for number in range(10):
        (place.home / "sessions" / f"rollout-{number:060}.jsonl").write_bytes(b"")
    with place.started("backfill", "--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        complaints = process.stderr.read()
        process.wait(BOUND_SECONDS)
    assert complaints == ""
    assert state_of(place.database)["status"] == "complete"


def run_into(place: Place, output: IO[bytes] | int, *command: str) -> tuple[int, bytes]:
    """How a command ends whose output goes there, and what it says of that."""
    ended = subprocess.run(
        command,
        env=place.environment,
        stdout=output,
        stderr=subprocess.PIPE,
        timeout=BOUND_SECONDS,
        check=False,
    )
    return ended.returncode, ended.stderr


ROLLOUTD = (sys.executable, "-m", "rolloutd")
FULL = (1, b"rolloutd: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize(
    "arguments", [("--help",), ("list", "--help"), ("list",), ("show", thread_id(1))]
)
def test_what_reads_has_seen_enough(place: Place, arguments: tuple[str, ...]) -> None:
    place.thread(1)
    place.index()
    read, write = os.pipe()
    os.close(read)
    assert run_into(place, write, *ROLLOUTD, *arguments) == (141, b"")
    os.close(write)


@pytest.mark.parametrize(
    "arguments", [("--help",), ("list",), ("status", "--json"), ("show", thread_id(1))]
)
def test_output_that_cannot_be_written(place: Place, arguments: tuple[str, ...]) -> None:
    place.thread(1)
    place.index()
    with Path("/dev/full").open("wb") as full:
        assert run_into(place, full, *ROLLOUTD, *arguments) == FULL


def test_a_completion_that_cannot_be_written(place: Place) -> None:
    """Which is another's to print, for the shell that it is called from."""
    bash = shutil.which("bash") or lack("no bash")
    called = f"{shlex.join(ROLLOUTD)} --show-completion; exit"
    with Path("/dev/full").open("wb") as full:
        assert run_into(place, full, bash, "-c", called) == FULL


def test_started_without_streams(place: Place) -> None:
    """What is written to one that is closed must not end in the database."""
    place.thread(1)
    command = f"exec {shlex.quote(sys.executable)} -m rolloutd run <&- >&- 2>&-"
    with subprocess.Popen(["/bin/sh", "-c", command], env=place.environment) as process:
        wait_until(lambda: state_of(place.database).get("status") == "complete", "its backfill")
        opened = [Path(f"/proc/{process.pid}/fd/{number}").readlink() for number in range(3)]
        process.terminate()
        assert process.wait(BOUND_SECONDS) == 0
    assert opened == [Path(os.devnull)] * 3
    assert dump(place.database) == place.fresh()


def test_a_home_whose_name_is_not_utf8(tmp_path: Path) -> None:
    """Linux allows it; whatever we do with it, it is not to fail with a traceback."""
    home = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    place = Place.make(tmp_path / "place")
    Path(home, "sessions").mkdir(parents=True)
    done = place.run("backfill", CODEX_HOME=home)
    assert done.code in {0, 78}, done
    assert "Traceback" not in done.stderr
