"""What all tests share."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no failure, and a fixture's folder may serve all examples: each example
# writes its own files there.
settings.register_profile(
    "rolloutd", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("rolloutd")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Codex home with nothing in it but an empty `sessions/`."""
    home = tmp_path / "home"
    (home / "sessions").mkdir(parents=True)
    return home
