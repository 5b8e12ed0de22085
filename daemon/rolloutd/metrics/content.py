"""What the database holds, asked of it when somebody wants to know, and only if it has changed."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from rolloutd.errors import DatabaseUnavailable
from rolloutd.rollout.items import LineError
from rolloutd.sources import LABELS
from rolloutd.state.content import Content, read_content
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import BackfillState, read_state
from rolloutd.state.stamp import Stamps, files_of, is_settled, stamps_of

_STATES = ("pending", "running", "complete")
_ENCODINGS = ("plain", "zstd")
_MOST_MODELS = 20
# What is no ordinary name of a model, with the names of its makers, a tag or a date, is nobody's
# business: the name is a text out of a rollout, and may be a path, an address, or a key.
_NAME = r"[A-Za-z0-9][\w.+-]*"
_MODEL = re.compile(
    rf"""
    (?=.{{1,64}}\Z)
    ((@cf/)?{_NAME}(/{_NAME}){{0,2}} | accounts/{_NAME}/models/{_NAME})
    (:[A-Za-z0-9][\w.-]*){{0,2}}
    (@(\d+|default|latest|q\d\w*))?
    """,
    re.ASCII | re.VERBOSE,
)
_NO_MODEL = re.compile(
    r"""
    # addresses
    (data|file|ftp|https?|mailto|ssh|urn):
    | (?!hf\.co/|huggingface\.co/)[^/]*\.[^/]*/
    | .*\.(ai|app|cloud|co|com|corp|dev|home|internal|io|lan|local|net|org)(:.*)?\Z
    | .*\blocalhost\b
    | .*\d[.-]\d+[.-]\d+[.-]\d+\.|.*\d\.\d+\.\d+\.\d
    | .*:\d{2,}\Z
    # paths
    | (.*/)?(desktop|documents|downloads|etc|home|media|mnt|opt|private|root|srv|tmp|users|usr|var
        |volumes|workspaces?)/
    | .*/.*\.(bin|c|ckpt|ggml|gguf|go|js|json|md|onnx|pt|pth|py|rs|safetensors|toml|ts|txt)\Z
    # keys
    | (.*[/:@.-])?(sk|pk|rk|ghp|gho|ghs|ghu|github_pat|glpat|gsk|hf|npm|nvapi|pplx|sess|xapp
        |xox[abp]|shpat|whsec|csk|dop_v1|tvly|age-secret-key|fw|r8)[-_]\w
    | (.*[/:@-])?(sg|ya29)\.\w
    | (.*[/:@._-])?(akia|asia|aiza|eyj)\w{3}
    # what else is drawn by lot, or numbered
    | .*[0-9a-f]{8}([-_][0-9a-f]{4}){2}
    | .*[0-9a-f]{12}
    | .*[0-9a-z]{24}
    | .*(?=[0-9a-z]{16})([a-z]*\d){3}
    | .*(\d{4}-){2}\d{4}
    | .*([0-9a-f]{2}-){5}[0-9a-f]{2}
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)

_LEAST_SECONDS = 2.0
# Counting everything takes one part in so many of a core, at most.
_SHARE = 50


class ContentCollector:
    """Gauges of the content; what cannot be read leaves them as they are.

    `written` says how much was written so far, in any way, or None while that cannot be told:
    a large database is not counted again because a lease was renewed in it. `failed` is told of
    each look that failed; once `stopping`, looks are cut short.
    """

    def __init__(
        self,
        database: Path,
        *,
        written: Callable[[], object],
        failed: Callable[[], None],
        stopping: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._database = database
        self._written = written
        self._failed = failed
        self._stopping = stopping
        self._backfill: BackfillState | None = None
        self._content = Content()
        self._stamps: Stamps | None = None
        self._counted: Any = None
        self._next_look = 0.0
        self._next_count = 0.0

    def collect(self) -> Iterator[Metric]:
        """One series for each combination of labels, whether there is anything of it or not."""
        self._look()
        yield from self._backfill_gauges()
        yield from self._content_gauges()

    def _look(self) -> None:
        if self._clock() < self._next_look:
            return
        now, stamps = time.time_ns(), stamps_of(*files_of(self._database))
        written = self._written()
        # That there is none yet is no error.
        if stamps == self._stamps or (self._backfill is None and stamps[0] is None):
            return
        # Of two looks the second is the next one's business, whatever comes of this one.
        self._next_look = self._clock() + _LEAST_SECONDS
        try:
            is_all = self._read(stamps, written)
        except DatabaseUnavailable:
            self._failed()
        else:
            self._stamps = stamps if is_all and is_settled(stamps, now) else None

    def _read(self, stamps: Stamps, written: object) -> bool:
        """Read what may have changed; false if the counting is put off."""
        file = stamps[0] and stamps[0][:2]
        state = stamps if written is None else (file, written)
        with (
            StateDatabase.open_reader(self._database) as database,
            database.reading() as connection,
        ):
            self._backfill = read_state(connection)
            if state == self._counted:
                return True
            began = self._clock()
            if began < self._next_count:
                return False
            self._content = read_content(connection, self._stopping)
        self._counted = state
        self._next_count = began + (_SHARE + 1) * (self._clock() - began)
        return True

    def _backfill_gauges(self) -> Iterator[Metric]:
        found = self._backfill
        yield _gauge(
            "rolloutd_backfill_state",
            "1 for the state of the backfill, 0 for others.",
            ["state"],
            {(each,): each == (found.status if found else "pending") for each in _STATES},
        )
        total, scanned = (found.total, found.scanned) if found else (0, 0)
        yield _gauge(
            "rolloutd_backfill_files",
            "Files that the backfill has to look at, or has looked at.",
            [],
            {(): total},
        )
        yield _gauge(
            "rolloutd_backfill_remaining_files",
            "Files that the backfill has not looked at yet.",
            [],
            {(): max(0, total - scanned)},
        )

    def _content_gauges(self) -> Iterator[Metric]:
        content = self._content
        yield _gauge(
            "rolloutd_rollout_files",
            "Rollout files that are known; the failed ones hold no thread.",
            ["state", "encoding"],
            {
                (state, encoding): content.files[state == "failed", encoding]
                for state in ("indexed", "failed")
                for encoding in _ENCODINGS
            },
        )
        yield _gauge(
            "rolloutd_rollout_bytes",
            "Size of these files on disk.",
            ["encoding"],
            {(encoding,): content.sizes[encoding] for encoding in _ENCODINGS},
        )
        yield _gauge(
            "rolloutd_rollout_parse_errors",
            "Lines that were skipped in these files, by reason.",
            ["reason"],
            {(reason.value,): content.parse_errors[reason] for reason in LineError},
        )
        yield _gauge(
            "rolloutd_threads",
            "Threads, by what started them.",
            ["archived", "source"],
            {
                (str(archived).lower(), source): content.threads[archived, source]
                for archived in (False, True)
                for source in LABELS
            },
        )
        yield _gauge(
            "rolloutd_thread_tokens",
            "Tokens used by threads, by the model that they used last.",
            ["model"],
            {(model,): tokens for model, tokens in by_model(content.tokens).items()},
        )


def by_model(tokens: Mapping[str | None, float]) -> dict[str, float]:
    """Tokens of the models that used most; those of the rest, and of odd names, are `other`'s."""
    shown = {"other": 0.0, "unknown": 0.0}
    for model, used in sorted(tokens.items(), key=lambda item: (-item[1], item[0] or "")):
        if model is None:
            label = "unknown"
        elif _is_a_name(model) and len(shown) < _MOST_MODELS + 2:
            label = model
        else:
            label = "other"
        shown[label] = shown.get(label, 0.0) + used
    return shown


def _is_a_name(model: str) -> bool:
    return _MODEL.fullmatch(model) is not None and _NO_MODEL.match(model) is None


def _gauge(
    name: str, meaning: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]
) -> Metric:
    gauge = GaugeMetricFamily(name, meaning, labels=labels)
    for of, value in values.items():
        gauge.add_metric(of, value)
    return gauge
