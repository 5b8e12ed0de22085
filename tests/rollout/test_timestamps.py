"""Timestamps to milliseconds since the epoch, as rollouts spell them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout.timestamps import parse_timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OFFSETS = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
# The first and last day are left out, since an offset may lead over the calendar's edge.
MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=OFFSETS,
)


def milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


@given(MOMENTS)
def test_rfc_3339_with_any_offset_is_what_datetime_says(moment: datetime) -> None:
    assert parse_timestamp(moment.isoformat()) == milliseconds(moment)


@given(MOMENTS, st.sampled_from(["Z", "z", "+00:00", "-00:00"]), st.sampled_from("Tt "))
def test_zulu_in_every_spelling(moment: datetime, zone: str, separator: str) -> None:
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    assert parse_timestamp(utc.isoformat(sep=separator) + zone) == milliseconds(moment)


@given(MOMENTS)
def test_the_form_of_file_names_is_utc_in_whole_seconds(moment: datetime) -> None:
    utc = moment.astimezone(UTC).replace(microsecond=0)
    text = f"{utc.year:04}-{utc:%m-%dT%H-%M-%S}"
    assert parse_timestamp(text) == milliseconds(utc)


@given(st.text(max_size=40))
def test_any_text_gives_a_number_or_nothing(text: str) -> None:
    assert isinstance(parse_timestamp(text), int | None)


@pytest.mark.parametrize(
    ("fraction", "millis"),
    [("", 0), (".1", 100), (".12", 120), (".123", 123), (".1239", 123), (".999999999999", 999)],
)
def test_fractions_of_any_length_are_truncated(fraction: str, millis: int) -> None:
    assert parse_timestamp(f"2026-01-02T03:04:05{fraction}Z") == 1_767_323_045_000 + millis


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.5Z"),
        ("2017-01-01T01:59:60+02:00", "2017-01-01T00:00:00Z"),
        ("2024-02-29T12:00:00Z", "2024-03-01T11:59:59Z"),
    ],
)
def test_leap_seconds_and_leap_days(text: str, expected: str) -> None:
    wanted = parse_timestamp(expected)
    assert wanted is not None
    if text.startswith("2024"):
        wanted -= 86_399_000
    assert parse_timestamp(text) == wanted


def test_times_before_the_epoch_are_negative() -> None:
    assert parse_timestamp("1969-12-31T23:59:59.250Z") == -750


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04Z",
        "2026-1-2T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-02-30T03:04:05Z",
        "2025-02-29T03:04:05Z",
        "2026-01-02T24:04:05Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+01:60",
        "2026-01-02T03:04:05+0100",
        "2026-01-02T03:04:05Z ",
        "2026-01-02T03:04:05Z\n",
        "2026-01-02T03-04-05Z",
        "2026-01-02T03-04-05.5",
        "\u0662026-01-02T03:04:05Z",
        "2026-13-02T03-04-05",
        "2026-01-02T25-04-05",
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    assert parse_timestamp(text) is None


def test_a_leap_second_in_the_form_of_file_names_is_the_second_before() -> None:
    assert parse_timestamp("2016-12-31T23-59-60") == parse_timestamp("2016-12-31T23:59:59Z")
