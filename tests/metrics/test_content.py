"""Gauges of what the database holds: equal to it, cheap, and not shaken by what befalls it."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from rolloutd.metrics.content import ContentCollector, by_model
from rolloutd.state.stamp import Stamps, files_of, is_settled, stamps_of
from tests.metrics.samples import Samples, called_for, content_of, samples_of, series
from tests.oracle.cases_build import meta, tokens, turn, user
from tests.running import Place, change, wait_until, watermark

SUBAGENT = {"subagent": "review"}


class Gauges:
    """The collector, with a clock that is moved by hand."""

    def __init__(self, place: Place) -> None:
        self.failures = 0
        self.written: int | None = None
        self.is_stopping = False
        self._now = time.monotonic()
        self._registry = CollectorRegistry()
        self._registry.register(
            ContentCollector(
                place.database,
                written=lambda: self.written,
                failed=self._fail,
                stopping=lambda: self.is_stopping,
                clock=lambda: self._now,
            )
        )

    def _fail(self) -> None:
        self.failures += 1

    def now(self) -> Samples:
        """At once after the last ones."""
        return samples_of(generate_latest(self._registry).decode())

    def later(self) -> Samples:
        """An hour after the last ones."""
        self._now += 3600
        return self.now()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Of every kind of thread and file one, or some."""
    place = Place.make(tmp_path)
    place.thread(1, meta(), turn(), tokens(5))
    place.thread(2, meta(source="vscode"), turn(model="other"), user("hi"))
    place.thread(3, meta(source=SUBAGENT), turn(model="org/model:1b"), tokens(9))
    place.thread(4, meta(source={"custom": "x"}), turn(model=None), tokens(2))
    place.thread(5, meta(source={"internal": "memory_consolidation"}), b"{", b"\xff{}")
    place.thread(6, meta(source="unheard-of"), b"[]", path=watermark(6, root="archived_sessions"))
    place.thread(7, b"nothing")
    place.index()
    return place


@pytest.fixture
def gauges(place: Place) -> Gauges:
    return Gauges(place)


def test_they_equal_the_database(place: Place, gauges: Gauges) -> None:
    assert content_of(gauges.now()) == called_for(place.database)
    assert gauges.failures == 0


def test_every_series_is_there_without_a_database(
    tmp_path: Path, place: Place, gauges: Gauges
) -> None:
    (tmp_path / "other").mkdir()
    empty = Gauges(Place.make(tmp_path / "other"))
    samples = empty.now()
    assert content_of(samples) == {series("backfill_state", state="pending"): 1}
    models = {each for each in gauges.now() if each[0] == "rolloutd_thread_tokens"}
    assert gauges.now().keys() - models <= samples.keys()
    assert empty.failures == 0
    assert place.database.exists()


def test_a_commit_shows_a_moment_later_but_not_within_the_moment(
    place: Place, gauges: Gauges
) -> None:
    before = gauges.now()
    place.thread(8)
    place.index()
    assert gauges.now() == before
    assert content_of(gauges.later()) == called_for(place.database)


def test_it_is_not_counted_again_while_only_leases_are_renewed(
    place: Place, gauges: Gauges
) -> None:
    gauges.written = 7
    before = gauges.now()
    # Behind the back of whoever knows how much was written.
    change(place.database, "UPDATE threads SET tokens_used = 77")
    change(place.database, "UPDATE backfill_state SET total = 12")
    samples = gauges.later()
    assert samples.pop(series("backfill_files")) == 12
    assert samples.pop(series("backfill_remaining_files")) == 5
    assert samples.items() <= before.items()
    gauges.written = 8
    assert content_of(gauges.later()) == called_for(place.database)


def test_it_is_counted_again_once_others_may_write(place: Place, gauges: Gauges) -> None:
    gauges.written = 7
    gauges.now()
    change(place.database, "UPDATE threads SET tokens_used = 77")
    gauges.written = None
    assert content_of(gauges.later()) == called_for(place.database)


def test_another_database_in_its_place_is_seen(place: Place, gauges: Gauges) -> None:
    gauges.written = 7
    gauges.now()
    # Kept elsewhere: a file that is made after another was deleted may get its inode.
    place.database.parent.rename(place.root / "before")
    place.thread(9)
    place.index()
    assert content_of(gauges.later()) == called_for(place.database)


@pytest.mark.parametrize("befalls", ["deleted", "garbage", "locked", "newer"])
def test_what_cannot_be_read_leaves_them_as_they_were(
    place: Place, gauges: Gauges, befalls: str
) -> None:
    before = gauges.now()
    with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
        match befalls:
            case "deleted":
                place.database.unlink()
            case "garbage":
                place.database.write_bytes(b"no database " * 1000)
            case "locked":
                other.execute("PRAGMA locking_mode = EXCLUSIVE")
                other.execute("BEGIN EXCLUSIVE")
                other.execute("UPDATE threads SET tokens_used = 0")
            case "newer":
                other.execute("UPDATE alembic_version SET version_num = 'zzzz'")
        assert gauges.later() == before
        assert gauges.failures == 1
        assert gauges.now() == before
        assert gauges.failures == 1  # Not asked again within the moment.
        assert gauges.later() == before
        assert gauges.failures == 2


def test_counting_is_cut_short_when_stopping(
    place: Place, gauges: Gauges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rolloutd.state.content._INSTRUCTIONS", 1)
    before = gauges.now()
    place.thread(8)
    place.index()
    gauges.is_stopping = True
    samples = gauges.later()
    assert (
        samples[series("threads", archived="false", source="cli")]
        == (before[series("threads", archived="false", source="cli")])
    )


def test_more_tokens_than_an_integer_of_sqlite_holds(place: Place, gauges: Gauges) -> None:
    change(place.database, "UPDATE threads SET tokens_used = ?, model = 'm'", 2**63 - 1)
    samples = gauges.now()
    assert gauges.failures == 0
    assert samples[series("thread_tokens", model="m")] == pytest.approx(6 * 2.0**63)


def test_only_the_models_that_used_most_have_a_name() -> None:
    shown = by_model({f"m{number:02}": float(number) for number in range(1, 31)})
    assert len(shown) == 22
    assert shown["m30"] == 30
    assert "m10" not in shown
    assert shown["other"] == sum(range(1, 11))
    assert shown["unknown"] == 0


@pytest.mark.parametrize(
    "model",
    [
        "/home/ada/models/secret.gguf",
        "~/secret.gguf",
        "C:\\models\\secret.gguf",
        "../secret",
        "please summarise this",
        "",
        "a" * 65,
        "m\n",
        "ünïcödé",
        "a/b/c/d",
        "C:/Users/ada/secret",
        "models/private/secret.gguf",
        "home/ada/secret",
        "Users/ada/secret",
        "file:secret",
        "http:secret",
        "ada@example.org",
        "sk-proj-secret",
        "ghp_secret",
        "0190d7b2-7e5c-7c3e-8b1a-0123456789ab",
        "ft:gpt:0190d7b2-7e5c-7c3e-8b1a-0123456789ab",
        "0190d7b2_7e5c_7c3e_8b1a_0123456789ab",
        "deadbeefdeadbeefdeadbeefdeadbeef",
        "example.org/secret",
        "gpu-box:8080",
        "localhost",
        "10.0.0.7",
        "model-at-10.0.0.7",
        "srv/models/secret",
        "etc/secret",
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyA-secret-key",
        "gsk_secret",
        "nvapi-secret",
        "eyJhbGciOiJ.x",
        "team-4f9a8c1d2e7b6035",
        "accounts/a/models/b/c/d",
        "openai/sk-abcdefghij",
        "my-AKIAIOSFODNN7EXAMPLE",
        "x/ghp_abcdef",
        "ghs_secret",
        "whsec_secret",
        "AGE-SECRET-KEY-1QQ",
        "ya29.secret",
        "db01.internal.example.com",
        "example.com:latest",
        "ada-macbook.local",
        "ip-10-0-0-5.ec2.internal",
        "gpu-box:123456",
        "x/home/ada",
        "Documents/tax",
        "src/main.py",
        "01a21549-5f9d-7290-adf4",
        "4111-1111-1111-1111",
        "00-1a-2b-3c-4d-5e",
        "deadbeefcafe",
    ],
)
def test_what_is_no_name_of_a_model_is_not_shown(model: str) -> None:
    assert by_model({model: 3.0, None: 4.0}) == {"other": 3.0, "unknown": 4.0}


@pytest.mark.parametrize(
    "model",
    [
        "gpt-5.1-codex",
        "openai/gpt-5",
        "gpt-oss:20b",
        "hf.co/a/b@q4",
        "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M",
        "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
        "claude-3-5-sonnet-v2@20241022",
        "deepseek/deepseek-r1:free",
        "models/gemini-1.5-pro",
        "qwen2.5-coder-7b-q4.gguf",
        "o3",
        "@cf/meta/llama-3.1-8b-instruct",
        "accounts/fireworks/models/llama-v3p1-405b-instruct",
        "claude-opus-4-1@default",
        "Qwen/Qwen3-235B-A22B-Instruct-2507-FP8",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        "gemini-2.5-pro-exp-03-25",
        "mistral-small3.2:24b-instruct-2506-q4_K_M",
        "nousresearch/hermes-4-70b",
        "gpt-4.1-2025-04-14",
        "moonshotai/kimi-k2-0905:free",
        "x-ai/grok-code-fast-1",
        "z-ai/glm-4.5",
        "anthropic.claude-v2:1:200k",
        "amazon.nova-lite-v1:0:24k",
        "meta.llama3-1-8b-instruct-v1:0",
        "huggingface.co/a/b:q4",
        "gemma-3n-e4b-it",
        "sonar-pro",
        "hermes-3-llama-3.1-405b",
        "claude-haiku-4-5-20251001",
    ],
)
def test_names_of_models(model: str) -> None:
    assert by_model({model: 3.0})[model] == 3


def test_models_named_like_the_rest_are_of_the_rest() -> None:
    assert by_model({"other": 1.0, "unknown": 2.0, None: 4.0, "no name": 8.0}) == {
        "other": 9.0,
        "unknown": 6.0,
    }


def ticked(place: Place, stamps: Stamps) -> bool:
    """Whether what changes now has a later time than what the stamps are of."""
    probe = place.root / "probe"
    probe.write_bytes(b"")
    now_ns = probe.stat().st_mtime_ns
    return all(stamp is None or now_ns > stamp.mtime_ns for stamp in stamps)


def test_a_stamp_changes_with_each_commit(place: Place) -> None:
    with closing(sqlite3.connect(place.database)) as other:
        seen = set()
        for number in range(20):
            with other:
                other.execute("UPDATE threads SET tokens_used = ?", [number])
            stamps = stamps_of(*files_of(place.database))
            assert not is_settled(stamps, time.time_ns())
            seen.add(stamps)
            wait_until(lambda: ticked(place, stamps), "the file system's clock goes on", 1)  # noqa: B023
    assert len(seen) == 20
    assert is_settled(stamps_of(*files_of(place.database)), time.time_ns() + 10**9)
