"""How much there is in the database, in numbers: nothing of what the rollouts say."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rolloutd.state.connections import Connection

# How many of SQLite's instructions are run between two looks at whether to stop.
_INSTRUCTIONS = 100_000

# Sums are floating point: two counts of tokens may be more together than SQLite's integers hold.
_FILES = """
    SELECT error IS NOT NULL, encoding, count(*), total(size), total(parse_errors)
    FROM rollouts GROUP BY 1, 2
"""
_PARSE_ERRORS = """
    SELECT reason.key, total(reason.value)
    FROM rollouts, json_each(rollouts.summary, '$.parse_errors') AS reason
    WHERE rollouts.parse_errors > 0 GROUP BY 1
"""
# Sources with data in them are objects in JSON, of which only the kind counts.
_THREADS = """
    SELECT archived,
           CASE WHEN source GLOB '{"subagent"*' THEN 'subagent'
                WHEN source GLOB '{"custom"*' THEN 'custom'
                WHEN source GLOB '{"internal"*' THEN 'internal'
                WHEN source IN ('cli', 'vscode', 'exec', 'mcp') THEN source
                ELSE 'unknown' END,
           model, count(*), total(tokens_used)
    FROM threads GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Content:
    """Counts over all rows; what is absent is 0.

    Attributes:
        files: by whether they failed, and encoding.
        sizes: bytes on disk, by encoding.
        parse_errors: lines skipped, by reason.
        threads: by whether they are archived, and source: one of the labels of
            `rolloutd.sources`.
        tokens: by model; None stands for threads that name none.
    """

    files: Counter[tuple[bool, str]] = field(default_factory=Counter)
    sizes: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    parse_errors: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    threads: Counter[tuple[bool, str]] = field(default_factory=Counter)
    tokens: defaultdict[str | None, float] = field(default_factory=lambda: defaultdict(float))


def read_content(connection: Connection, stopping: Callable[[], bool]) -> Content:
    """Look at every row of `rollouts` and `threads`.

    Of 100,000 threads that takes most of a second of computing: not to be asked all the time.
    Once `stopping`, it ends with an error of SQLite's.
    """
    content = Content()
    with _interrupted_when(connection, stopping):
        for failed, encoding, files, size, errors in connection.execute(_FILES):
            content.files[bool(failed), encoding] += files
            content.sizes[encoding] += size
            content.parse_errors["all"] += errors
        if content.parse_errors.pop("all", 0):
            for reason, lines in connection.execute(_PARSE_ERRORS):
                content.parse_errors[reason] += lines
        for archived, source, model, threads, tokens in connection.execute(_THREADS):
            content.threads[bool(archived), source] += threads
            content.tokens[model] += tokens
    return content


@contextmanager
def _interrupted_when(connection: Connection, stopping: Callable[[], bool]) -> Iterator[None]:
    connection.set_progress_handler(stopping, _INSTRUCTIONS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)
