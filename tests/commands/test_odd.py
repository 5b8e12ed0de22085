"""Odd arguments, odd terminals, odd files: a clear answer each, and never a traceback."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle.cases_build import meta, user
from tests.running import Done, Place, thread_id
from tests.state.test_database import without_privileges

NO_UTF8 = os.fsdecode(b"\xff\xfe")
TITLE = "日本 ünïcödé"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    made.thread(1, meta(), user(TITLE))
    made.index()
    return made


def narrow(place: Place, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run it on a terminal that knows ASCII only."""
    return subprocess.run(
        [sys.executable, "-m", "rolloutd", *arguments],
        env=place.environment | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        *(("list", option, NO_UTF8) for option in ("--search", "--cwd", "--branch", "--model")),
        ("list", "--provider", NO_UTF8),
        ("list", "--source", '{"custom":"\\ud800"}'),
        ("list", "--from-files", "--search", NO_UTF8),
        ("show", NO_UTF8),
        ("path", NO_UTF8, "--from-files"),
    ],
)
def test_arguments_that_are_not_utf8_match_nothing(
    place: Place, arguments: tuple[str, ...]
) -> None:
    done = place.run(*arguments)
    assert done.code == (0 if arguments[0] == "list" else 1), done
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done


def test_a_terminal_that_does_not_know_a_letter(place: Place) -> None:
    for command in (("list",), ("show", thread_id(1)), ("list", "--cwd", "/none")):
        done = narrow(place, *command)
        assert done.returncode == 0, done
        assert b"Traceback" not in done.stderr
    assert b"?? ?n?c?d?" in narrow(place, "list").stdout
    document = narrow(place, "list", "--json").stdout.decode("ascii")
    assert Done(0, document, "").document["threads"][0]["title"] == TITLE


def test_a_path_is_printed_in_its_own_bytes(tmp_path: Path) -> None:
    place = Place.make(tmp_path / "ünïcödé")
    place.thread(1)
    place.index()
    printed = narrow(place, "path", thread_id(1))
    assert printed.returncode == 0, printed
    assert Path(os.fsdecode(printed.stdout.removesuffix(b"\n"))).is_file()


@pytest.mark.parametrize("option", ["--database", "--codex-home"])
@pytest.mark.parametrize("command", ["list", "status", "backfill"])
def test_an_empty_path_is_not_this_directory(place: Place, command: str, option: str) -> None:
    done = place.run(command, option, "")
    assert (done.code, done.stdout) == (78, ""), done
    assert f"{option.removeprefix('--').replace('-', '_')} = ''" in done.stderr
    assert "allowed: the path of a" in done.stderr


def test_an_empty_directory_to_look_in(place: Place) -> None:
    done = place.run("list", "--cwd", "")
    assert (done.code, done.stdout) == (2, ""), done


@pytest.mark.parametrize("kind", ["directory", "fifo", "device"])
@pytest.mark.parametrize(
    "command", ["list", "show 1234", "status", "verify", "verify --repair", "backfill", "run"]
)
def test_a_database_that_is_no_file(place: Place, command: str, kind: str) -> None:
    """A FIFO would be waited for for ever."""
    odd = place.root / "odd"
    match kind:
        case "directory":
            odd.mkdir()
        case "fifo":
            os.mkfifo(odd)
        case "device":
            odd = Path(os.devnull)
    done = place.run(*command.split(), "--database", str(odd))
    assert (done.code, done.stdout) == (74, ""), done
    assert done.stderr.splitlines()[-1].endswith(f"{odd}: not a file"), done


@pytest.mark.parametrize(
    "command", ["list", "show 1234", "status", "verify", "verify --repair", "backfill", "run"]
)
def test_a_database_in_a_folder_that_is_closed(place: Place, command: str) -> None:
    closed = place.root / "closed"
    (closed / "in").mkdir(parents=True)
    closed.chmod(0)
    odd = closed / "in" / "state.sqlite"
    try:
        done = place.run(*command.split(), "--database", str(odd), prefix=without_privileges())
    finally:
        closed.chmod(0o700)
    assert (done.code, done.stdout) == (74, ""), done
    assert done.stderr.splitlines()[-1].endswith(f"{odd}: Permission denied"), done
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["--version", "--help", "", "list --help", "service -h"])
def test_words_on_a_full_disk(words: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rolloutd", *words.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "rolloutd: the output cannot be written: No space left on device\n"


def test_a_folder_that_cannot_be_read_is_told_of(place: Place) -> None:
    closed = place.thread(500).parent
    closed.chmod(0)
    try:
        done = place.run("list", "--from-files", prefix=without_privileges())
    finally:
        closed.chmod(0o700)
    assert done.code == 0, done
    assert TITLE in done.stdout
    assert "1 folder cannot be listed: what is in there is left out" in done.stderr


def test_a_file_that_cannot_be_read_is_told_of(place: Place) -> None:
    place.thread(500).chmod(0)
    done = place.run("list", "--from-files", prefix=without_privileges())
    assert done.code == 0, done
    assert "1 file cannot be read now, and left out" in done.stderr


@pytest.mark.parametrize("command", ["list --all", "verify", "show 00000000-0000-4000", "status"])
def test_a_closed_pipe_is_no_answer(place: Place, command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "rolloutd", *command.split()],
        env=place.environment,
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_current_directory_that_is_gone(place: Place, tmp_path: Path) -> None:
    code = (
        "import os, sys; os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); "
        "os.execv(sys.executable, [sys.executable, '-m', 'rolloutd', *sys.argv[2:]])"
    )
    prefix = (sys.executable, "-c", code, str(tmp_path / "gone"))
    for words, exit_code in ((("--cwd", "."), 2), (("--database", "x"), 78)):
        environment = place.environment
        done = subprocess.run(
            [*prefix, "list", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == exit_code, done
        assert "the current directory" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_source_that_is_nested_too_deep(place: Place) -> None:
    done = place.run("list", "--source", "[" * 50_000)
    assert done.code == 2
    assert "Traceback" not in done.stderr


def test_a_log_that_cannot_be_read_in_a_closed_folder(place: Place) -> None:
    folder = place.database.parent
    keep = sqlite3.connect(place.database)
    keep.execute("CREATE TABLE others (a)")
    copies = {name: (folder / name).read_bytes() for name in ("state.sqlite", "state.sqlite-wal")}
    keep.close()
    for name, content in copies.items():
        (folder / name).write_bytes(content)
    folder.chmod(0o500)
    try:
        done = place.run("list", prefix=without_privileges())
    finally:
        folder.chmod(0o700)
    assert done.code == 74, done
    assert "has a log (-wal)" in done.stderr
