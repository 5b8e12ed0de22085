"""What all tests share."""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no failure, and a fixture's folder may serve all examples: each example
# writes its own files there.
settings.register_profile(
    "rolloutd", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("rolloutd")

# A shell without job control has what it starts in the background ignore Ctrl-C, and so would all
# that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Folders of tests that want the machine for themselves.
_ALONE = ("system",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each folder's tests in one process: they share what is dear to make."""
    for item in items:
        folder = item.path.parent.name
        # Most of what there is to wait for is here, and nothing is shared.
        group = item.path.name if folder == "daemon" else folder
        item.add_marker(pytest.mark.xdist_group(group))
        if folder in _ALONE or item.path.parent.parent.name in _ALONE:
            item.add_marker(pytest.mark.alone)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Codex home with nothing in it but an empty `sessions/`."""
    home = tmp_path / "home"
    (home / "sessions").mkdir(parents=True)
    return home
