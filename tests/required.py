"""What some tests need and a machine may lack: they are skipped there, and fail under CI."""

import os
from typing import NoReturn

import pytest

from tests.daemon.tracing import why_not
from tests.oracle.releases import ReleaseUnavailableError, release


def require_releases(*versions: str) -> None:
    """Real Codex releases; they are installed where they are not yet."""
    try:
        for version in versions:
            release(version)
    except ReleaseUnavailableError as error:
        _lack(str(error))


def require_tracing() -> None:
    """That strace is there, and may trace."""
    if why := why_not():
        _lack(why)


def _lack(why: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"CI is set, so everything must be there: {why}", pytrace=False)
    pytest.skip(why)
