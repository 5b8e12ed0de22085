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
        lack(str(error))


def require_tracing() -> None:
    """That strace is there, and may trace."""
    if why := why_not():
        lack(why)


def lack(why: str) -> NoReturn:
    """Skip the test, and say why; fail it under CI."""
    if os.environ.get("CI"):
        pytest.fail(f"CI is set, so everything must be there: {why}", pytrace=False)
    pytest.skip(why)
