"""Real releases, the model they talk to, and the homes that they write; all made once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.required import require_releases

from .compare import NEW, OLD
from .driver import CodexHome
from .homes import VERSIONS, adopt, talk, write_home
from .mock_responses import MockResponses, mock_responses

COMPRESSED, MIGRATED = f"{NEW}-compressed", f"{NEW}-migrated"

HOMES = (*VERSIONS, COMPRESSED, MIGRATED)
"""Names of the homes: the release that wrote it, and perhaps what was done to it then."""


@pytest.fixture(scope="session")
def judges() -> None:
    """The two releases that say what a row should be."""
    require_releases(OLD, NEW)


@pytest.fixture(scope="session")
def mock() -> Iterator[MockResponses]:
    """The model that all releases talk to."""
    with mock_responses(talk) as running:
        yield running


@pytest.fixture(scope="session")
def homes(
    mock: MockResponses, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Path]]]:
    """Every home of `HOMES`, some perhaps still being written."""
    require_releases(*VERSIONS)
    root = tmp_path_factory.mktemp("homes")
    with ThreadPoolExecutor(len(VERSIONS)) as pool:
        written = {
            version: pool.submit(write_home, version, root / version, mock) for version in VERSIONS
        }
        yield {
            **{version: pool.submit(_home_of, codex) for version, codex in written.items()},
            COMPRESSED: pool.submit(_compressed, written[NEW], root / COMPRESSED, mock),
            MIGRATED: pool.submit(_migrated, written[OLD], root / MIGRATED, mock),
        }


def _home_of(codex: Future[CodexHome]) -> Path:
    return codex.result().home


def _compressed(codex: Future[CodexHome], home: Path, mock: MockResponses) -> Path:
    adopted = adopt(NEW, codex.result().home, home, mock)
    adopted.compress()
    return adopted.home


def _migrated(codex: Future[CodexHome], home: Path, mock: MockResponses) -> Path:
    adopted = adopt(NEW, codex.result().home, home, mock)
    adopted.migrate()
    return adopted.home
