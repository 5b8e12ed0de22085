"""Log records in the form that suits whoever reads them."""

import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rolloutd.logs import configure_logging

CODE = """
import logging, sys
from rolloutd.logs import configure_logging
configure_logging("info", sys.argv[1])
logging.getLogger("rolloutd.x").warning("two\\nlines")
logging.getLogger("rolloutd").debug("unheard")
logging.getLogger("another").error("not ours")
"""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    logger = logging.getLogger("rolloutd")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    logger.handlers[:], _, logger.propagate = before
    logger.setLevel(before[1])


def said(form: str, *, stderr: int = subprocess.PIPE, **environment: str) -> str:
    """What a process with this format writes to standard error."""
    ended = subprocess.run(
        [sys.executable, "-c", CODE, form],
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=30,
        check=True,
    )
    assert ended.stdout == ""
    return ended.stderr or ""


def of_ours(text: str) -> str:
    """Without Python's own last resort for other loggers."""
    return text.replace("not ours\n", "")


def test_plain() -> None:
    assert re.fullmatch(r"[\d-]+ [\d:,]+ WARNING two\nlines\n", of_ours(said("plain")))
    assert re.fullmatch(r"[\d-]+ [\d:,]+ WARNING two\nlines\n", of_ours(said("auto")))


def test_journal_has_the_priority_on_every_line() -> None:
    assert of_ours(said("journal")) == "<4>two\n<4>lines\n"


def test_json_is_one_object_a_line() -> None:
    [line] = of_ours(said("json")).splitlines()
    record = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("time"))
    assert record == {"level": "warning", "logger": "rolloutd.x", "message": "two\nlines"}


def test_json_with_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    try:
        int("x")
    except ValueError:
        logging.getLogger("rolloutd").exception("failed")
    [line] = capsys.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_on_a_terminal() -> None:
    master, slave = pty.openpty()
    try:
        said("auto", stderr=slave)
        assert b"WARNING two\r\nlines\r\n" in os.read(master, 1000)
    finally:
        os.close(slave)
        os.close(master)


def test_under_systemd_only_if_it_is_our_standard_error_that_it_reads() -> None:
    """systemd.exec(5), JOURNAL_STREAM: device and inode, since children inherit the variable."""
    read, write = os.pipe()
    try:
        status = os.fstat(write)
        said("auto", stderr=write, JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}")
        assert b"<4>two\n" in os.read(read, 1000)
        said("auto", stderr=write, JOURNAL_STREAM="1:2")
        assert b"<4>" not in os.read(read, 1000)
    finally:
        os.close(read)
        os.close(write)


def test_configured_twice_says_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", "console")
    configure_logging("info", "console")
    logging.getLogger("rolloutd").debug("unheard")
    logging.getLogger("rolloutd.deep.down").info("once")
    assert capsys.readouterr().err == "INFO once\n"
