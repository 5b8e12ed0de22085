"""An ordinary user with a manager of their own, for the tests of a module."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.service import Service
from tests.system.session import CannotLogIn, Session, logged_in


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Skips, saying why, where that cannot be had; never in CI."""
    try:
        with logged_in(tmp_path_factory.mktemp("login")) as session:
            yield session
    except CannotLogIn as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"no user can be logged in: {error}")


@pytest.fixture
def service(session: Session, request: pytest.FixtureRequest) -> Iterator[Service]:
    """Not installed yet, with an empty Codex home; nothing is left of it at the end."""
    service = Service(session, Path(re.sub(r"\W+", "-", request.node.name)), time.time())
    (service.codex_home / "sessions").mkdir(parents=True)
    session.own(session.home / service.place)
    try:
        yield service
    finally:
        service.remove()
