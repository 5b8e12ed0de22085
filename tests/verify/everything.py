"""A home with something of every kind in it, and the ways to put its database wrong."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import zstandard

from rolloutd.verify.findings import Kind
from tests.oracle.cases_build import Json, dumps, meta, named, tokens, turn, user
from tests.running import Place, change, rows, thread_id, watermark

SEGMENT = "5e65e65e-0000-4000-8000-000000000001"
# Threads of `make`, by what is special in them.
PLAIN, PARENT, CHILD, TOOLS, ARCHIVED, PACKED, SEGMENTS, TWICE, ODD_NAME, TORN, NAMED = range(11)
SECOND_SEGMENT = f"sessions/2026/02/01/rollout-2026-02-01T00-00-00-{thread_id(SEGMENTS)}"
SECOND_SEGMENT += f"_{SEGMENT}.jsonl"
COPY = "sessions/2026/02/01/rollout-copy.jsonl"
ODD = "sessions/rollout-odd.jsonl"
BROKEN = "sessions/rollout-broken.jsonl"

_TOOL: dict[str, Json] = {"description": "does", "inputSchema": {"type": "object"}}


def make(place: Place) -> None:
    """Write the home, and the database that is true of it."""
    place.thread(PLAIN, meta(), turn(), user("plain"), tokens(10))
    place.thread(PARENT, meta(), user("parent"))
    spawn: dict[str, Json] = {"parent_thread_id": thread_id(PARENT), "depth": 1}
    place.thread(CHILD, meta(source={"subagent": {"thread_spawn": spawn}}), user("child"))
    tools: list[Json] = [{**_TOOL, "name": "one"}, {**_TOOL, "name": "two"}]
    place.thread(TOOLS, meta(dynamic_tools=tools), user("tools"))
    archived = watermark(ARCHIVED, root="archived_sessions")
    place.thread(ARCHIVED, meta(), user("archived"), path=archived)
    plain = place.thread(PACKED, meta(), user("packed"))
    packed = place.home / watermark(PACKED, ending=".jsonl.zst")
    packed.write_bytes(zstandard.compress(plain.read_bytes()))
    plain.unlink()
    place.thread(SEGMENTS, meta(), user("first"), tokens(3))
    place.thread(SEGMENTS, meta(), named("renamed"), tokens(5), path=SECOND_SEGMENT)
    place.thread(TWICE, meta(), user("twice"))
    place.thread(TWICE, meta(), user("twice"), tokens(9), path=COPY)
    place.thread(ODD_NAME, meta(), user("odd"), path=ODD)
    torn = place.thread(TORN, meta(), user("torn"), tokens(1))
    torn.write_bytes(torn.read_bytes() + tokens(2))
    place.thread(NAMED, meta(), user("named"))
    entry = {"id": thread_id(NAMED), "thread_name": "from the index", "updated_at": "x"}
    (place.home / "session_index.jsonl").write_text(dumps(entry) + "\n")
    (place.home / BROKEN).write_bytes(b"garbage\n")
    place.index()


@dataclass(frozen=True, slots=True)
class Plant:
    """One way to put it wrong: what it does, what is then found, and whether only when deep."""

    name: str
    apply: Callable[[Place], None]
    kinds: frozenset[Kind]
    deep: bool = False


def _sql(statement: str, *parameters: object) -> Callable[[Place], None]:
    return lambda place: change(place.database, statement, *parameters)


def _edit(path: str, **changes: object) -> Callable[[Place], None]:
    """Change a summary, and the columns beside it, as if a fold had given that."""

    def apply(place: Place) -> None:
        [(text,)] = rows(place.database, "SELECT summary FROM rollouts WHERE path = ?", path)
        summary = {**json.loads(text), **changes}
        text = json.dumps(summary, separators=(",", ":"), ensure_ascii=False)
        change(place.database, "UPDATE rollouts SET summary = ? WHERE path = ?", text, path)
        if "tokens_used" in changes:
            used = "UPDATE threads SET tokens_used = ? WHERE id = ?"
            change(place.database, used, changes["tokens_used"], summary["thread_id"])
        if "thread_id" in changes:
            said = "UPDATE rollouts SET thread_id = ? WHERE path = ?"
            change(place.database, said, changes["thread_id"], path)

    return apply


def _swap_paths(place: Place) -> None:
    # By way of a third one, since paths are unique.
    for old, new in (
        (watermark(PLAIN), "third"),
        (watermark(PARENT), watermark(PLAIN)),
        ("third", watermark(PARENT)),
    ):
        change(place.database, "UPDATE rollouts SET path = ? WHERE path = ?", new, old)


def _swap_rollout_paths(place: Place) -> None:
    other = "SELECT rollout_path FROM threads AS other WHERE other.id <> threads.id AND"
    swap = f"UPDATE threads SET rollout_path = ({other} other.id IN (?1, ?2)) WHERE id IN (?1, ?2)"
    change(place.database, swap, thread_id(PLAIN), thread_id(PARENT))


def _file(write: Callable[[Place], object]) -> Callable[[Place], None]:
    def apply(place: Place) -> None:
        write(place)

    return apply


def _append(place: Place) -> None:
    with (place.home / watermark(PLAIN)).open("ab") as file:
        file.write(tokens(77) + b"\n")


def _rewrite(place: Place) -> None:
    path = place.home / watermark(PLAIN)
    path.write_bytes(path.read_bytes().replace(b"plain", b"PLAIN"))


def _plant(name: str, apply: Callable[[Place], None], *kinds: Kind, deep: bool = False) -> Plant:
    return Plant(name, apply, frozenset(kinds), deep)


def _advance(path: str, by: int) -> Callable[[Place], None]:
    return _sql('UPDATE rollouts SET "offset" = "offset" + ? WHERE path = ?', by, path)


PLANTS = (
    _plant(
        "a row deleted",
        _sql("DELETE FROM rollouts WHERE path = ?", watermark(PLAIN)),
        Kind.MISSING,
        Kind.STRAY,
        Kind.STATE,
    ),
    _plant("every row deleted", _sql("DELETE FROM rollouts"), Kind.MISSING, Kind.STRAY, Kind.STATE),
    _plant(
        "a segment's row deleted",
        _sql("DELETE FROM rollouts WHERE path = ?", SECOND_SEGMENT),
        Kind.MISSING,
        Kind.MISMATCHED,
        Kind.STATE,
    ),
    _plant(
        "a thread deleted",
        _sql("DELETE FROM threads WHERE id = ?", thread_id(PLAIN)),
        Kind.MISMATCHED,
    ),
    _plant("files added", _file(lambda place: [place.thread(n) for n in (50, 51)]), Kind.MISSING),
    _plant(
        "a file removed", _file(lambda place: (place.home / watermark(PLAIN)).unlink()), Kind.GONE
    ),
    _plant("a file appended to", _append, Kind.STALE),
    _plant("a file rewritten", _rewrite, Kind.STALE),
    _plant(
        "a file moved",
        _file(
            lambda place: (place.home / watermark(PARENT)).rename(
                place.home / watermark(PARENT, root="archived_sessions")
            )
        ),
        Kind.MISSING,
        Kind.GONE,
    ),
    _plant("a broken file mended", _file(lambda place: place.thread(60, path=BROKEN)), Kind.STALE),
    _plant("rows' paths swapped", _swap_paths, Kind.STALE, Kind.MISMATCHED),
    _plant("threads' paths swapped", _swap_rollout_paths, Kind.MISMATCHED),
    _plant(
        "a row without a root",
        _sql("UPDATE rollouts SET path = 'x' WHERE path = ?", ODD),
        Kind.MISSING,
        Kind.GONE,
        Kind.MISMATCHED,
        Kind.STATE,
    ),
    _plant(
        "a row of another thread",
        _edit(ODD, thread_id=thread_id(PLAIN)),
        Kind.MISMATCHED,
        Kind.STRAY,
    ),
    _plant(
        "a row and a named file of two threads",
        _edit(watermark(PLAIN), thread_id=thread_id(99)),
        Kind.MISMATCHED,
        Kind.STRAY,
    ),
    _plant(
        "a row of no thread",
        _sql("UPDATE rollouts SET thread_id = NULL WHERE path = ?", ODD),
        Kind.MISMATCHED,
        Kind.STRAY,
    ),
    _plant(
        "an error made up",
        _sql("UPDATE rollouts SET error = 'x', thread_id = NULL WHERE path = ?", ODD),
        Kind.MISMATCHED,
        Kind.STRAY,
        Kind.STATE,
    ),
    _plant(
        "an error taken away",
        _sql("UPDATE rollouts SET error = NULL WHERE path = ?", BROKEN),
        Kind.MISMATCHED,
        Kind.STATE,
    ),
    _plant("a cursor advanced", _advance(watermark(TORN), 20), Kind.CURSOR),
    _plant("a cursor set back", _advance(watermark(PLAIN), -20), Kind.CURSOR),
    _plant(
        "a compressed cursor set back",
        _advance(watermark(PACKED, ending=".jsonl.zst"), -20),
        Kind.CURSOR,
    ),
    _plant(
        "a cursor beyond the end",
        _sql('UPDATE rollouts SET "offset" = 999999 WHERE path = ?', watermark(PLAIN)),
        Kind.CURSOR,
    ),
    _plant(
        "no cursor",
        _sql(
            'UPDATE rollouts SET "offset" = NULL, anchors = NULL WHERE path = ?', watermark(PLAIN)
        ),
        Kind.CURSOR,
    ),
    _plant(
        "anchors altered",
        _sql("UPDATE rollouts SET anchors = '0:0' WHERE path = ?", watermark(PLAIN)),
        Kind.CURSOR,
    ),
    _plant(
        "a stamp altered",
        _sql(
            "UPDATE rollouts SET ctime_ns = ctime_ns + 9, size = size - 1 WHERE path = ?",
            watermark(PLAIN),
        ),
        Kind.STALE,
    ),
    _plant(
        "half a stamp",
        _sql("UPDATE rollouts SET inode = NULL WHERE path = ?", watermark(PLAIN)),
        Kind.STALE,
    ),
    _plant(
        "tokens altered",
        _sql("UPDATE threads SET tokens_used = 1 WHERE id = ?", thread_id(PLAIN)),
        Kind.MISMATCHED,
    ),
    _plant(
        "a title altered",
        _sql("UPDATE threads SET title = 'x' WHERE id = ?", thread_id(PLAIN)),
        Kind.MISMATCHED,
    ),
    _plant(
        "a summary and its thread altered",
        _edit(watermark(PLAIN), tokens_used=99),
        Kind.MISMATCHED,
        deep=True,
    ),
    _plant(
        "a summary of garbage",
        _sql("UPDATE rollouts SET summary = 'x' WHERE path = ?", watermark(PLAIN)),
        Kind.MISMATCHED,
    ),
    _plant(
        "a torn line forgotten",
        _sql("UPDATE rollouts SET resume = NULL WHERE path = ?", watermark(TORN)),
        Kind.CURSOR,
        deep=True,
    ),
    _plant(
        "an archived flag",
        _sql("UPDATE rollouts SET archived = 1 WHERE path = ?", watermark(PLAIN)),
        Kind.MISMATCHED,
    ),
    _plant(
        "lines miscounted",
        _sql("UPDATE rollouts SET lines = 7, parse_errors = 1 WHERE path = ?", watermark(PLAIN)),
        Kind.MISMATCHED,
    ),
    _plant(
        "an older parser",
        _sql("UPDATE rollouts SET parser_version = 0 WHERE path = ?", watermark(PLAIN)),
        Kind.PARSER,
    ),
    _plant(
        "a stray thread",
        _sql(
            "INSERT INTO threads (id, rollout_path, created_at, updated_at, "
            "source, model_provider, cwd, title, sandbox_policy, approval_mode) "
            "VALUES ('stray', '', 0, 0, '', '', '', '', '', '')"
        ),
        Kind.STRAY,
    ),
    _plant(
        "a stray edge", _sql("INSERT INTO thread_spawn_edges VALUES ('a', 'b', 'open')"), Kind.STRAY
    ),
    _plant(
        "an edge made up",
        _sql(
            "INSERT INTO thread_spawn_edges VALUES (?, ?, 'open')",
            thread_id(CHILD),
            thread_id(PARENT),
        ),
        Kind.MISMATCHED,
    ),
    _plant(
        "an edge closed", _sql("UPDATE thread_spawn_edges SET status = 'closed'"), Kind.MISMATCHED
    ),
    _plant("an edge deleted", _sql("DELETE FROM thread_spawn_edges"), Kind.MISMATCHED),
    _plant("tools altered", _sql("UPDATE thread_dynamic_tools SET name = 'x'"), Kind.MISMATCHED),
    _plant(
        "a tool deleted",
        _sql("DELETE FROM thread_dynamic_tools WHERE position = 0"),
        Kind.MISMATCHED,
    ),
    _plant(
        "a stray tool",
        _sql(
            "INSERT INTO thread_dynamic_tools VALUES (?, 0, 'n', 'd', '{}', 0, NULL)",
            thread_id(PLAIN),
        ),
        Kind.MISMATCHED,
    ),
    _plant(
        "tools of nobody",
        _sql("INSERT INTO thread_dynamic_tools VALUES ('nobody', 0, 'n', 'd', '{}', 0, NULL)"),
        Kind.STRAY,
    ),
    _plant(
        "a name altered", _sql("UPDATE session_names SET name = 'x'"), Kind.NAMES, Kind.MISMATCHED
    ),
    _plant(
        "a name added",
        _sql("INSERT INTO session_names VALUES (?, 'x')", thread_id(PLAIN)),
        Kind.NAMES,
        Kind.MISMATCHED,
    ),
    _plant("names deleted", _sql("DELETE FROM session_names"), Kind.NAMES, Kind.MISMATCHED),
    _plant(
        "a name in the index",
        _file(lambda place: (place.home / "session_index.jsonl").write_text("")),
        Kind.NAMES,
    ),
    _plant("another provider", _sql("UPDATE home SET model_provider = 'other'"), Kind.HOME),
    _plant("no home", _sql("DELETE FROM home"), Kind.HOME),
    _plant("progress altered", _sql("UPDATE backfill_state SET scanned = 1"), Kind.STATE),
    _plant(
        "a backfill that is not complete",
        _sql("UPDATE backfill_state SET status = 'pending', last_watermark = NULL"),
        Kind.STATE,
    ),
)
