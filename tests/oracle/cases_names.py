"""Names: thread_name_updated events and session_index.jsonl."""

import json

from .cases_build import PATH, Case, Value, case, event, files, meta, named, payload, rollout, user

NAME = "rollouts.md: name, title"
INDEX = "rollouts.md: name, the thread's latest entry in session_index.jsonl"


def entry(name: Value, thread: Value = "@id@", **changes: Value) -> bytes:
    base: dict[str, Value] = {"id": thread, "thread_name": name}
    stamp: dict[str, Value] = {"updated_at": "2026-01-02T03:04:05Z"}
    return json.dumps(payload({}, {**base, **stamp, **changes})).encode() + b"\n"


def indexed(case_name: str, *entries: bytes, lines: tuple[bytes, ...] = ()) -> Case:
    content = {
        PATH: rollout(meta(), user("first"), *lines),
        "session_index.jsonl": b"".join(entries),
    }
    return files(case_name, INDEX, content)


CASES: tuple[Case, ...] = (
    case("name", NAME, meta(), user("first"), named("My thread")),
    case("name-alone", NAME, meta(), named("My thread")),
    case("name-before-user", NAME, meta(), named("My thread"), user("first")),
    case("name-later", NAME, meta(), user("first"), named("one"), named("two")),
    case("name-trim", NAME, meta(), user("first"), named("  spaced \n")),
    case("name-blank", NAME, meta(), user("first"), named("  ")),
    case("name-empty", NAME, meta(), user("first"), named("")),
    case("name-null", NAME, meta(), user("first"), named(None)),
    case("name-missing", NAME, meta(), user("first"), named(...)),
    case("name-number", NAME, meta(), user("first"), named(1)),
    case("name-then-blank", NAME, meta(), user("first"), named("one"), named(" ")),
    case("name-then-null", NAME, meta(), user("first"), named("one"), named(None)),
    case("name-other-thread", NAME, meta(), user("first"), named("x", thread="@other@")),
    case("name-no-thread", NAME, meta(), user("first"), named("x", thread=...)),
    case("name-bad-thread", NAME, meta(), user("first"), named("x", thread="thread")),
    case("name-extra", NAME, meta(), user("first"), named("x", future=1)),
    case(
        "name-escaped",
        NAME,
        meta(),
        user("first"),
        event("thread_name_updated", '"thread_id":"@id@","thread_name":"\\u00e9\\n\\ud83d\\ude00"'),
    ),
    case(
        "name-camel",
        NAME,
        meta(),
        user("first"),
        event("thread_name_updated", threadId="@id@", threadName="x"),
    ),
    indexed("index", entry("Indexed")),
    indexed("index-two", entry("one"), entry("two")),
    indexed(
        "index-older-last",
        entry("new", updated_at="2026-06-01T00:00:00Z"),
        entry("old", updated_at="2025-01-01T00:00:00Z"),
    ),
    indexed("index-blank", entry("  ")),
    indexed("index-then-blank", entry("one"), entry(" ")),
    indexed("index-empty", entry("")),
    indexed("index-trim", entry(" one ")),
    indexed("index-null", entry("one"), entry(None)),
    indexed("index-missing", entry("one"), entry(...)),
    indexed("index-number", entry("one"), entry(1)),
    indexed("index-no-stamp", entry("one", updated_at=...)),
    indexed("index-stamp-number", entry("one", updated_at=1)),
    indexed("index-bad-id", entry("x", thread="@id@x")),
    indexed("index-upper-id", entry("Upper", thread="@ID@")),
    indexed("index-unknown-thread", entry("x", thread="@other@")),
    indexed("index-extra", entry("x", future=[1])),
    indexed("index-garbage", b"garbage\n", entry("after garbage")),
    indexed("index-crlf", entry("one").replace(b"\n", b"\r\n")),
    indexed("index-blank-line", b"\n", entry("one")),
    indexed("index-and-event", entry("indexed"), lines=(named("event"),)),
    indexed("index-and-blank-event", entry("indexed"), lines=(named(" "),)),
    indexed("index-same-as-message", entry("first")),
    indexed("index-unicode", entry("é 😀\u2028")),
)
