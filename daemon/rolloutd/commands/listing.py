"""`rolloutd list`."""

import json
import os
import time
from collections.abc import Sequence
from typing import Annotated, TypeVar

import typer

from rolloutd.commands.completion import complete_order, complete_sort, complete_source
from rolloutd.commands.index import Index
from rolloutd.commands.options import CodexHome, Database, FromFiles, Json, ModelProvider
from rolloutd.commands.output import print_document, print_lines, warn
from rolloutd.errors import BadUsage
from rolloutd.listing import Listing, Page
from rolloutd.moments import moment_ms
from rolloutd.places import user_folder
from rolloutd.sources import CLASSES, LABELS
from rolloutd.state.lookups import telling_length, with_flags
from rolloutd.state.reader import StateReader
from rolloutd.state.selection import Order, Selection, Sort
from rolloutd.terminal import Terminal
from rolloutd.thread_table import View, columns_of, table_lines

_LEAST_OF_AN_ID = 8
_MOST = 100_000


def list_threads(  # noqa: PLR0913
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Subagents, exec and the rest, and empty threads, too.")
    ] = False,
    archived: Annotated[
        bool, typer.Option("--archived", help="Archived threads, instead of active ones.")
    ] = False,
    active: Annotated[
        bool, typer.Option("--active", help="Active threads; with --archived, both.")
    ] = False,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help=(
                f"Of a class ({', '.join(CLASSES)}), of a kind "
                f"({', '.join(label for label in LABELS if label not in CLASSES)}), "
                "or with this source in full. May be given several times."
            ),
            autocompletion=complete_source,
        ),
    ] = None,
    provider: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of this model provider, or of one of several."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Of this model, or of one of several.")
    ] = None,
    cwd: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="That worked in this directory, or below it."),
    ] = None,
    branch: Annotated[str | None, typer.Option(metavar="NAME", help="On this git branch.")] = None,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS", help="With this in title, name or first message, in any case."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="From then on: 2026-01-31, 2026-01-31T12:00, or 12h, 7d, 2w ago."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Before then; a day is included.")
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            metavar="|".join(Sort),
            help="Which time counts: here, and for since and until.",
            autocompletion=complete_sort,
        ),
    ] = Sort.RECENCY.value,
    order: Annotated[
        str,
        typer.Option(
            metavar="|".join(Order),
            help="The newest first, or the oldest.",
            autocompletion=complete_order,
        ),
    ] = Order.DESCENDING.value,
    limit: Annotated[
        str, typer.Option(metavar="NUMBER", help=f"How many at most, 1 to {_MOST}.")
    ] = "25",
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Go on where another list ended.")
    ] = None,
    as_json: Json = False,
    from_files: FromFiles = False,
    codex_home: CodexHome = None,
    database: Database = None,
    model_provider: ModelProvider = None,
) -> None:
    """List threads, the newest first: by default the active ones that a person started.

    Exit codes: 0 done; 2 usage; 69 no home; 74 the database cannot be read; 78 configuration.

    \b
    Examples:
      rolloutd list --cwd .                    of this directory, and below it
      rolloutd list --search "rate limit"      with these words
      rolloutd list --since 7d --all           whatever was at work this week
      rolloutd list --source exec --json       for programs
      rolloutd list --archived --sort created  archived ones, by their age
    """  # noqa: D301
    now = time.time()
    selection = Selection(
        archived=None if archived and active else archived,
        sources=() if everything and not source else _sources(source),
        empty=everything or bool(source),
        providers=tuple(provider or ()),
        models=tuple(model or ()),
        cwd=None if cwd is None else _directory(cwd),
        branch=branch,
        text=None if search is None else search.casefold(),
        since_ms=None if since is None else moment_ms("--since", since, now),
        until_ms=None if until is None else moment_ms("--until", until, now, ends=True),
    )
    sorted_by = _choice("--sort", sort, Sort)
    listing = Listing(
        selection,
        sorted_by,
        _choice("--order", order, Order),
        ("*",) if as_json else columns_of(sorted_by),
    )
    most = _limit(limit)

    def question(reader: StateReader) -> tuple[Page, int]:
        page = listing.page(reader, most, cursor)
        ids = [] if as_json else [row["id"] for row in page.threads]
        return page, telling_length(reader, ids, _LEAST_OF_AN_ID)

    overrides = {"codex_home": codex_home, "database": database, "model_provider": model_provider}
    index = Index(overrides, from_files=from_files)
    page, length = index.ask(question)
    try:
        if as_json:
            threads = [with_flags(row) for row in page.threads]
            print_document({"threads": threads, "next_cursor": page.next_cursor})
            return
        if page.threads:
            view = View(Terminal.of_output(), user_folder(), length, now)
            with index.said():
                lines = table_lines(page.threads, selection, sorted_by, view)
            print_lines(lines)
        else:
            warn("no thread is like that")
        if page.next_cursor is not None:
            warn(f"there are more: --cursor {page.next_cursor}")
    finally:
        index.mend(page.stale)


_Choice = TypeVar("_Choice", Sort, Order)


def _choice(option: str, text: str, kind: type[_Choice]) -> _Choice:
    try:
        return kind(text)
    except ValueError as error:
        raise BadUsage(f"{option} {text!r}: allowed is {' or '.join(kind)}") from error


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _MOST or len(text) > 9:
        raise BadUsage(f"--limit {text!r}: allowed is a number from 1 to {_MOST}")
    return int(text)


def _sources(given: Sequence[str] | None) -> tuple[str, ...]:
    """What is asked for, each as `Selection` knows it."""
    if not given:
        return ("user",)
    return tuple(dict.fromkeys(map(_source, given)))


def _source(text: str) -> str:
    if text in CLASSES or text in LABELS:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        allowed = ", ".join(dict.fromkeys((*CLASSES, *LABELS)))
        raise BadUsage(
            f"--source {text!r}: allowed is one of {allowed}, "
            'or a source in full, such as {"custom":"my-app"}'
        )
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _directory(path: str) -> str:
    if not path:
        raise BadUsage("--cwd '': allowed is a directory")
    try:
        # By its letters only: a directory may lie on a mount that does not answer any more.
        return "/" + os.path.abspath(path).lstrip("/")  # noqa: PTH100
    except FileNotFoundError as error:
        raise BadUsage(f"--cwd {path!r}: the current directory is not there any more") from error
