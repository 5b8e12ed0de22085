"""Points in time as a person names them."""

import time
from collections.abc import Iterator

import pytest

from rolloutd.errors import BadUsage
from rolloutd.moments import moment_ms

NOW = 1_767_225_600.5  # 2026-01-01T00:00:00.5Z
DAY_MS = 86_400_000
NEW_YEAR_MS = 1_767_225_600_000


@pytest.fixture(autouse=True, params=["UTC", "Asia/Tokyo"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A local time, by how many milliseconds it is ahead."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield 0 if request.param == "UTC" else 9 * 3_600_000
    monkeypatch.undo()
    time.tzset()


def at(text: str, *, ends: bool = False) -> int:
    return moment_ms("--since", text, NOW, ends=ends)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("90s", 90),
        ("30min", 1800),
        ("12h", 43_200),
        ("7d", 604_800),
        ("999999w", 604_799_395_200),
    ],
)
def test_ages(text: str, seconds: int) -> None:
    assert at(text) == NEW_YEAR_MS + 500 - seconds * 1000


def test_a_day_begins_and_ends_at_midnight_here(zone: int) -> None:
    assert at("2026-01-01") == NEW_YEAR_MS - zone
    assert at("2026-01-01", ends=True) == NEW_YEAR_MS - zone + DAY_MS
    assert at("1969-12-31") == -DAY_MS - zone


def test_a_time_here_or_with_an_offset(zone: int) -> None:
    assert at("2026-01-01T00:00") == NEW_YEAR_MS - zone
    assert at("2026-01-01 00:00:00.25") == NEW_YEAR_MS - zone + 250
    assert at("2026-01-01T00:00Z") == NEW_YEAR_MS
    assert at("2026-01-01T00:00:00+02:00", ends=True) == NEW_YEAR_MS - 7_200_000


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "2026-02-30", "7", "7 d", "-7d", "7y", "9999999999d", "²d"],
)
def test_no_age_and_no_date(text: str) -> None:
    with pytest.raises(BadUsage, match=r"--since .*: allowed is a date .* a time .* an age"):
        at(text)


@pytest.mark.parametrize(
    "text",
    ["2026-01-01T25:00", "2026-01-01T", "0000-01-01", "9999-12-31", "20260101", "2026-W01-1"],
)
def test_what_means_nothing(text: str) -> None:
    with pytest.raises(BadUsage, match=r"--since .*: allowed is a date .* a time .* an age"):
        moment_ms("--since", text, NOW, ends=True)
