"""Errors that end a command, each with the exit code that the contract promises."""

from pathlib import Path


class RolloutdError(Exception):
    """Failed, in words meant for the user."""

    exit_code = 1


class BadUsage(RolloutdError):
    """The command line asks for what there is not."""

    exit_code = 2


class Unavailable(RolloutdError):
    """Something cannot be used as it is.

    `why` says it without the path, which is no log's business.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.why = why


class HomeUnavailable(Unavailable):
    """There is nothing to read: no home, or no `sessions/` in it."""

    exit_code = 69


class DatabaseUnavailable(Unavailable):
    """The database cannot be read or written, or is newer than this program."""

    exit_code = 74


class DatabaseRefused(DatabaseUnavailable):
    """Another program's, or one that a newer rolloutd has written: waiting will not mend that."""


class WorkHeld(RolloutdError):
    """Another live process holds the work."""

    exit_code = 75


class ConfigurationError(RolloutdError):
    """A setting is wrong."""

    exit_code = 78
