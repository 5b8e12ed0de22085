"""Everything that may lie in a home: nothing of it stops the pass, or is passed over in silence."""

import os
import random
import re
import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from tests.oracle.cases_build import meta, rollout, tokens, user
from tests.running import Place, dump, rows, thread_id, watermark
from tests.state.test_database import without_privileges

MIB = 1 << 20


def packed(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


GOOD = rollout(meta(), user("good"))

# What is in a file, by the number of its thread, and how many lines of it are errors.
CONTENTS: dict[int, tuple[bytes, int]] = {
    1: (GOOD, 0),
    2: (rollout(meta(), user("good"), b'{"timestamp":"2026-01-', end=b""), 0),
    3: (rollout(meta(), user("good"), end=b""), 0),
    4: (GOOD.replace(b"\n", b"\r\n"), 0),
    5: (rollout(meta(), b"\xff\xfe\x80", user("good")), 1),
    6: (b"\xef\xbb\xbf" + GOOD, 0),
    7: (rollout(meta(), b"\0" * 50, user("good")), 1),
    8: (rollout(meta(), b"[" * 5000 + b"]" * 5000, user("good")), 1),
    9: (rollout(meta(), tokens(1 << 63), user("good")), 1),
    11: (rollout(user("good")), 0),
    12: (rollout(meta(), b"\xe2\x80\xa8" + user("not good"), b"null", b"7", user("good")), 3),
}
FAILED: dict[str, tuple[bytes, str]] = {
    "rollout-empty.jsonl": (b"", "empty"),
    "rollout-blank.jsonl": (b"\n  \n\r\n\t\n", "empty"),
    "rollout-garbage.jsonl": (os.urandom(5000).replace(b"{", b"") + b"\n", "no valid line"),
    "rollout-nul.jsonl": (bytes(4096) + b"\n", "no valid line"),
    "rollout-headerless.jsonl": (rollout(user()), "neither a session_meta nor the file name"),
    "rollout-cut.jsonl.zst": (packed(GOOD * 9)[:-9], "truncated|incomplete|unexpected end|zstd"),
    "rollout-wrong.jsonl.zst": (b"this is not zstd", "zstd|frame|compressed"),
    "rollout-bomb.jsonl.zst": (packed(bytes(200 * MIB) + b"\n"), "no valid line"),
}


def write_irregular(folder: Path) -> dict[str, str]:
    """Things with names of rollouts that are no regular files; why each fails."""
    os.mkfifo(folder / "rollout-fifo.jsonl")
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        here = os.open(folder, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/rollout-socket.jsonl")
        os.close(here)
    (folder / "rollout-link.jsonl").symlink_to("/etc/passwd")
    (folder / "rollout-loop.jsonl").symlink_to("rollout-loop.jsonl")
    (folder / "rollout-dangling.jsonl").symlink_to("nowhere")
    (folder / "rollout-folder.jsonl").symlink_to(folder.parent)
    (folder / "not named like one").symlink_to(folder.parent)
    closed = folder / "rollout-closed.jsonl"
    closed.write_bytes(GOOD)
    closed.chmod(0)
    with open(os.fsencode(folder) + b"/rollout-\xff\xfe.jsonl", "wb") as file:  # noqa: PTH123
        file.write(GOOD)
    link = "symbolic link, not followed"
    (folder / "rollout-directory.jsonl").mkdir()
    return {
        "rollout-directory.jsonl": "directory, not a regular file",
        "rollout-fifo.jsonl": "FIFO, not a regular file",
        "rollout-socket.jsonl": "socket, not a regular file",
        "rollout-link.jsonl": link,
        "rollout-loop.jsonl": link,
        "rollout-dangling.jsonl": link,
        "rollout-folder.jsonl": link,
        "rollout-closed.jsonl": "Permission denied",
        "rollout-\ufffdff\ufffdfe.jsonl": "file name is not UTF-8",
    }


def test_a_tree_of_everything(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    parse_errors = 0
    for number, (content, errors) in CONTENTS.items():
        path = place.thread(number)
        path.write_bytes(content.replace(b"@id@", thread_id(number).encode()))
        parse_errors += errors
    place.thread(10, meta('"id":"@id@","cwd":"/twice"'), user("good"))  # keys twice
    large = place.thread(20, meta(), b"@hole@", user("good"))
    head, _, tail = large.read_bytes().partition(b"@hole@")
    with large.open("wb") as file:  # a line of 200 MiB that takes no room
        file.write(head)
        file.seek(200 * MIB, os.SEEK_CUR)
        file.write(tail)
    folder = place.home / "sessions"
    expected = {name: why for name, (_, why) in FAILED.items()} | write_irregular(folder)
    for name, (content, _) in FAILED.items():
        (folder / name).write_bytes(content.replace(b"@id@", thread_id(40).encode()))
    place.thread(21, path="sessions/rollout-directory.jsonl/rollout-inside.jsonl")
    (folder / "closed").mkdir(mode=0)

    done = place.run("backfill", "--json", prefix=without_privileges())
    assert done.code == 0, done
    document = done.document
    failures = {
        entry["path"].removeprefix("sessions/"): entry["error"] for entry in document["failures"]
    }
    assert failures.keys() == expected.keys() | {"closed"}
    assert failures.pop("closed") == "directory: Permission denied"
    for name, error in failures.items():
        assert re.search(expected[name], error, re.IGNORECASE), (name, error)
    threads = dict(rows(place.database, "SELECT id, first_user_message FROM threads"))
    good = {thread_id(number): "good" for number in (*CONTENTS, 10, 20)}
    assert threads == good | {thread_id(21): "prompt 21"}
    assert (document["upserted"], document["failed"]) == (len(threads), len(failures) + 1)
    assert document["scanned"] == len(threads) + len(failures) + 1
    counted = dict(rows(place.database, "SELECT thread_id, parse_errors FROM rollouts"))
    for number, (_, errors) in CONTENTS.items():
        assert counted[thread_id(number)] == errors, number
    assert counted[thread_id(20)] == 1
    assert document["parse_errors"] >= parse_errors + 1

    again = place.run("backfill", "--json", prefix=without_privileges())
    assert again.document["upserted"] == 0
    assert again.document["failures"] == document["failures"]
    assert threads == dict(rows(place.database, "SELECT id, first_user_message FROM threads"))


def test_rows_below_a_folder_that_cannot_be_listed_are_kept(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    paths = [place.thread(number) for number in (1, 500)]
    assert paths[0].parent != paths[1].parent
    place.index()
    before = dump(place.database)
    paths[0].parent.chmod(0)
    done = place.run("backfill", "--json", prefix=without_privileges())
    assert done.code == 0, done
    document = done.document
    assert (document["removed"], document["failed"]) == (0, 1)
    assert document["failures"][0]["error"] == "directory: Permission denied"
    assert dump(place.database)["threads"] == before["threads"]
    paths[0].parent.chmod(0o700)
    paths[1].unlink()
    document = place.backfill()
    assert (document["failed"], document["failures"]) == (0, [])
    assert dump(place.database) == place.fresh()


def test_a_file_that_could_not_be_read_is_read_once_it_can(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    path = place.thread(1)
    path.chmod(0)
    done = place.run("backfill", "--json", prefix=without_privileges())
    assert (done.code, done.document["failed"]) == (0, 1)
    path.chmod(0o600)
    assert place.backfill()["upserted"] == 1
    assert dump(place.database) == place.fresh()


class Unrest:
    """Files that grow, shrink, vanish, come back and move while somebody reads them."""

    def __init__(self, place: Place, seed: int) -> None:
        self._place = place
        self._random = random.Random(seed)
        self._calm = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._calm.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._calm.is_set():
            number = self._random.randrange(100)
            path = self._place.home / watermark(number)
            archived = self._place.home / watermark(number, root="archived_sessions")
            try:
                match self._random.randrange(6):
                    case 0:
                        path.unlink()
                    case 1:
                        os.truncate(path, self._random.randrange(path.stat().st_size + 1))
                    case 2:
                        archived.parent.mkdir(exist_ok=True)
                        path.rename(archived)
                    case 3:
                        archived.rename(path)
                    case 4:
                        self._place.thread(number, meta(), *[user("x" * 500)] * 200)
                    case _:
                        with path.open("ab") as file:
                            file.write(user("more") + b"\n")
            except FileNotFoundError:
                self._place.thread(number)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_tree_that_does_not_hold_still(tmp_path: Path, seed: int) -> None:
    place = Place.make(tmp_path)
    for number in range(200):
        place.thread(number)
    with Unrest(place, seed):
        for _ in range(2):
            place.backfill(ROLLOUTD_BACKFILL_BATCH_SIZE="5")
    place.index()
    assert dump(place.database) == place.fresh()


def test_a_file_that_cannot_be_read_any_more_keeps_its_row(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    paths = [place.thread(number) for number in (1, 2)]
    place.index()
    before = dump(place.database)
    paths[0].chmod(0)
    for _ in range(2):
        done = place.run("backfill", "--json", prefix=without_privileges())
        assert (done.code, done.document["failed"], done.document["removed"]) == (0, 1, 0)
        assert done.document["failures"][0]["error"] == "Permission denied"
        assert dump(place.database)["threads"] == before["threads"]
        done = place.run("path", thread_id(1), prefix=without_privileges())
        assert (done.code, done.stdout) == (1, "")
        assert "cannot be verified: Permission denied" in done.stderr
        done = place.run("show", thread_id(1), prefix=without_privileges())
        assert done.code == 0, done
        assert "Permission denied" in done.stdout
        for look in ((), ("--deep",), ("--repair",)):
            done = place.run("verify", "--json", *look, prefix=without_privileges())
            assert done.code == 0, done
            (note,) = done.document["notes"]
            assert (note["kind"], note["thread_id"]) == ("unreachable", None)
    paths[0].chmod(0o600)
    assert place.run("verify").code == 1
    assert place.backfill()["upserted"] == 1
    assert dump(place.database) == place.fresh()


def test_a_folder_that_cannot_be_listed_is_nothing_to_repair(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    paths = [place.thread(number) for number in (1, 500)]
    place.index()
    paths[0].parent.chmod(0)
    for look in ((), ("--repair",)):
        done = place.run("verify", *look, prefix=without_privileges())
        assert done.code == 0, done
        assert "unreachable" in done.stdout
        assert "repaired" not in done.stdout
    paths[0].parent.chmod(0o700)
    assert place.run("verify").code == 0
