"""What a command prints, and how it ends when it cannot."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, NoReturn

from rolloutd.wording import printable
from rolloutd.writing import write_all

# What a shell tells of a program that a closed pipe has ended.
PIPE_CLOSED = 141
# For so long a last word waits for whoever is to read it.
_SAYING_SECONDS = 0.5


def print_document(document: Any) -> None:
    """One JSON document on standard output."""
    print_lines([json.dumps(document, indent=2)])


def print_lines(lines: Sequence[str]) -> None:
    """Lines on standard output; says so and exits 1 if they cannot be written."""
    with told():
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()


def print_path(path: str) -> None:
    """A path on standard output, in the bytes that it has on disk, whatever the locale."""
    with told():
        sys.stdout.buffer.write(f"{path}\n".encode())
        sys.stdout.buffer.flush()


@contextmanager
def told() -> Iterator[None]:
    """For writing to standard output: ends the program if that cannot be done."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        # What is still held back must not fail once more when Python flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(PIPE_CLOSED)  # Whoever reads has seen enough.
        fail(f"the output cannot be written: {error.strerror}")


def leave() -> NoReturn:
    """End the process now, with 0, all having been closed: Python takes long to take itself apart.

    (A tenth of a second for what a daemon has imported; on a busy machine, two whole ones.)
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(0)


def leave_saying(message: str, code: int) -> NoReturn:
    """Say why on standard error, and end the process now, whether that is read or not."""
    text = f"rolloutd: {_harmless(message)}\n"
    saying = Thread(target=write_all, args=(sys.stderr.fileno(), text), daemon=True)
    saying.start()
    saying.join(_SAYING_SECONDS)
    os._exit(code)


def warn(message: str) -> None:
    """Say on standard error what else is to be known."""
    sys.stderr.write(f"rolloutd: {_harmless(message)}\n")


def fail(message: str, code: int = 1) -> NoReturn:
    """Say why on standard error, and exit."""
    sys.stderr.write(f"rolloutd: {_harmless(message)}\n")
    sys.exit(code)


def _harmless(message: str) -> str:
    # Paths are in it, and files may be called anything.
    return "\n".join(map(printable, message.split("\n")))
