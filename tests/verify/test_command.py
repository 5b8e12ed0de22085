"""`rolloutd verify` as a user runs it."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from rolloutd.verify.findings import NOTES, Kind
from tests.oracle.cases_build import user
from tests.running import Place, change, dump, rows, thread_id, watermark
from tests.test_cli import on_a_terminal
from tests.verify.everything import BROKEN, PLAIN, make


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    make(made)
    return made


def test_the_document(place: Place) -> None:
    done = place.run("verify", "--json")
    assert (done.code, done.stderr) == (0, "")
    document = done.document
    assert (document["status"], document["deep"]) == ("true", False)
    assert (document["files"], document["threads"], document["bytes"]) == (14, 11, 0)
    assert document["drift"] == {str(kind): 0 for kind in Kind if kind not in NOTES}
    assert (document["findings"], document["repair"]) == ([], None)
    assert {each["kind"] for each in document["notes"]} == {"duplicate", "unindexable"}

    change(place.database, "UPDATE threads SET title = 'x' WHERE id = ?", thread_id(PLAIN))
    expected = {
        "kind": "mismatched",
        "path": None,
        "thread_id": thread_id(PLAIN),
        "paths": [watermark(PLAIN)],
        "detail": "title",
    }
    for _ in range(2):
        done = place.run("verify", "--json", "--deep")
        assert (done.code, done.stderr) == (1, "")
        document = done.document
        assert (document["status"], document["findings"]) == ("drifted", [expected])
        assert document["drift"]["mismatched"] == 1
        assert document["bytes"] > 0
    done = place.run("verify", "--json", "--repair")
    assert (done.code, done.document["status"]) == (0, "repaired")
    assert done.document["findings"] == [expected]
    assert (done.document["repair"]["findings"], done.document["repair"]["daemon"]) == ([], None)
    assert dump(place.database) == place.fresh()


def test_for_people(place: Place) -> None:
    done = place.run("verify")
    assert (done.code, done.stderr) == (0, "")
    first, *notes = done.stdout.splitlines()
    assert first.startswith("true: 14 files and 11 threads compared, in ")
    assert f"  {BROKEN}: no valid line" in notes
    for number in range(300, 330):
        place.thread(number)
    done = place.run("verify", NO_COLOR="1")
    assert (done.code, done.stderr) == (1, "")
    assert "missing (30): files without a row" in done.stdout
    assert "and 20 more" in done.stdout
    assert "verify --repair" in done.stdout
    assert len(done.stdout.splitlines()) < 30
    done = place.run("verify", "--repair")
    assert done.code == 0
    assert done.stdout.startswith("repaired: ")
    assert "has repaired all of this" in done.stdout
    assert place.run("verify").code == 0


def test_a_bar_on_a_terminal(place: Place) -> None:
    output, shown = on_a_terminal(place, "verify", "--json", "--deep")
    assert json.loads(output)["status"] == "true"
    assert "verify" in shown
    assert "14/14 files" in shown
    assert "backfill" not in shown


def test_nothing_private_is_told_or_logged(place: Place) -> None:
    """Of what rows hold, only which columns are wrong is told."""
    place.thread(70, user("the-secret-prompt"))
    place.index()
    change(place.database, "UPDATE threads SET title = title || '!' WHERE id = ?", thread_id(70))
    done = place.run("verify", "--repair", "--log-level", "info")
    assert done.code == 0
    assert "the-secret" not in done.stdout + done.stderr
    assert thread_id(70) in done.stdout
    assert thread_id(70) not in done.stderr


def test_a_name_that_would_write_on_the_terminal(place: Place) -> None:
    (place.home / "sessions" / "rollout-\x1b[31m\n.jsonl").write_bytes(b"")
    done = place.run("verify")
    assert done.code == 1
    assert "\x1b" not in done.stdout


def test_what_cannot_be_repaired_is_told(place: Place) -> None:
    """Rows of a root that is away are kept; what is wrong with them has to wait for it."""
    archived = place.home / "archived_sessions"
    archived.rename(place.home / "away")
    done = place.run("verify", "--json")
    assert done.code == 0
    assert "unreachable" in {each["kind"] for each in done.document["notes"]}
    change(place.database, "UPDATE threads SET title = 'x' WHERE archived = 1")
    done = place.run("verify", "--repair")
    assert done.code == 1
    assert "has repaired what could be; left is" in done.stdout
    (place.home / "away").rename(archived)
    assert place.run("verify", "--repair").code == 0
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize("option", ["--json", "--repair", "--deep"])
def test_there_is_no_database(place: Place, option: str) -> None:
    place.database.unlink()
    done = place.run("verify", option)
    assert (done.code, done.stdout) == (74, "")
    assert done.stderr.endswith("there is no database yet; `rolloutd backfill` makes it\n")
    assert not place.database.exists()


def test_there_is_no_home(place: Place) -> None:
    (place.home / "sessions").rename(place.home / "away")
    done = place.run("verify", "--repair")
    assert (done.code, done.stdout) == (69, "")
    assert len(done.stderr.splitlines()) == 1
    assert rows(place.database, "SELECT count(*) FROM threads") == [(11,)]


def test_another_home(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "sessions").mkdir(parents=True)
    for option in ("--json", "--repair"):
        done = place.run("verify", option, CODEX_HOME=str(other))
        assert (done.code, done.stdout) == (78, "")
        assert str(place.home) in done.stderr


def test_a_newer_database(place: Place) -> None:
    change(place.database, "UPDATE alembic_version SET version_num = '9999'")
    for options in ((), ("--repair",)):
        done = place.run("verify", *options)
        assert (done.code, done.stdout) == (74, "")
        assert "9999" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_corrupt_database(place: Place) -> None:
    content = bytearray(place.database.read_bytes())
    content[2000:] = b"\xff" * (len(content) - 2000)
    place.database.write_bytes(content)
    done = place.run("verify")
    assert (done.code, done.stdout) == (74, "")
    assert len(done.stderr.splitlines()) == 1
    done = place.run("verify", "--repair", "--json")
    assert done.code == 0, done
    assert len(list(place.database.parent.glob("*.corrupt-*"))) >= 1
    assert dump(place.database) == place.fresh()


def test_a_locked_database(place: Place) -> None:
    """Comparing waits for no lock; repairing gives up in the end, and says why."""
    import sqlite3
    from contextlib import closing

    change(place.database, "UPDATE threads SET title = 'x'")
    with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert place.run("verify").code == 1
        with place.started("verify", "--repair") as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2)
            other.execute("ROLLBACK")
            assert process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_interrupted(place: Place, number: signal.Signals) -> None:
    change(
        place.database,
        "UPDATE backfill_state SET status = 'running', owner_token = 't', "
        "owner_host = 'elsewhere', owner_pid = 1, owner_boot = 'b', owner_since_ms = 0",
    )
    with place.started("verify") as process:
        assert process.stderr is not None
        assert "waiting: process 1 on elsewhere" in process.stderr.readline()
        process.send_signal(number)
        assert process.wait(5) == 1
        assert "Traceback" not in process.stderr.read()
