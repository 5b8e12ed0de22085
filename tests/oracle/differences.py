"""Where rolloutd is not what the rule of `compare` says: every deliberate difference, and why.

Nothing else may differ. An entry names threads (a case's name, `case/other` for a second thread of
it, `home/first words` of a thread that a release wrote, or `live/release role` of one of the story
in `tests/daemon`; patterns as in a shell), a column, and the value that rolloutd has there: to the
letter, or made from rolloutd's own row and the value that the rule wants. Where several entries
match, the first one counts.
"""

from __future__ import annotations

from typing import Any

from .compare import MTIME, TOOLS, Row
from .reasons import LISTED, Derived, Difference, Why, differ


def _one_if_said(row: Row, _: Any) -> int:
    return int(bool(row["first_user_message"]))


def _thousandth(_: Row, wanted: Any) -> int:
    return int(wanted) // 1000


def _same_as(column: str) -> Derived:
    return lambda row, _: row[column]


def _mtime_ms(row: Row, _: Any) -> int:
    return int(row[MTIME]) // 1_000_000


def _earlier(row: Row, wanted: Any) -> Any:
    # Which is the first file's own, as a test of its own shows.
    own = row["created_at_ms"]
    return own if wanted > 10**11 else own // 1000


def _older_words(_: Row, wanted: Any) -> str:
    if wanted == '{"type":"disabled"}':
        return _DANGER
    return _WRITE if '"access":"write"' in wanted else _READ_ONLY


def _of_2025(row: Row) -> dict[str, Any]:
    return {
        **_said(row["first_user_message"]),
        "has_user_event": 1,
        "created_at_ms": row["created_at_ms"],
    }


def _said(text: str) -> dict[str, Any]:
    return {"first_user_message": text, "title": text, "preview": text}


def _named(name: str) -> dict[str, Any]:
    return {"title": name, "name": name}


_DANGER = '{"type":"danger-full-access"}'
_READ_ONLY = '{"type":"read-only"}'
_WRITE = (
    '{"type":"workspace-write",'
    '"network_access":false,"exclude_tmpdir_env_var":false,"exclude_slash_tmp":false}'
)
_GIT = {"git_branch": "trunk", "git_origin_url": "https://example.org/team/project.git"}
_STAMP_MS = 1767323045678
_MODEL = {"model": "gpt-5", "reasoning_effort": "high"}
_TURN = {**_MODEL, "sandbox_policy": _DANGER, "approval_mode": "never"}
_META = {
    "source": "cli",
    "cwd": "/work",
    "cli_version": "0.130.0",
    "originator": "codex_cli_rs",
    "created_at_ms": _STAMP_MS,
}
_META_IN_WORK = {column: value for column, value in _META.items() if column != "cwd"}
_MESSAGE = {"has_user_event": 1}
_LOOKUP = '{"type":"object","properties":{"b":{"type":"string"},"a":{}}}'
_OBJECT = '{"type":"object"}'
_RESTRICTED = (
    '{"type":"managed","file_system":{"type":"restricted",'
    '"entries":[{"path":%s,"access":"%s"}]},"network":"%s"}'
)
_ROOT = '{"type":"special","value":{"kind":"root"}}'
_LONG = "/" + "/".join("a" * 600)


DIFFERENCES: tuple[Difference, ...] = (
    *differ(
        Why.USER_EVENT,
        "user-blank|user-empty|user-prefix-only|user-prefix-blank|user-images-empty|user-images-null"
        "|item-empty|item-mention|item-skill",
        {"has_user_event": 1},
    ),
    *differ(Why.USER_EVENT, "*", {"has_user_event": _one_if_said}),
    # Bytes.
    *differ(
        Why.UTF8,
        "bytes-bad-utf8*|bytes-overlong|bytes-surrogate-bytes|bytes-torn-utf8",
        {LISTED: {**_META, **_said("after"), **_MESSAGE}},
    ),
    *differ(Why.UTF8, "zst-bad-utf8", {LISTED: {**_META, **_TURN, **_said("hello"), **_MESSAGE}}),
    *differ(Why.BOM, "bytes-bom", _META),
    *differ(Why.BOM, "zst-bom", _META_IN_WORK),
    # Times.
    *differ(
        Why.BEFORE_2020,
        "stamp-1969-*|stamp-1970-01-01T00-00-01|stamp-2001-*|stamp-2019-*|headerless-time-old",
        {"created_at": _thousandth, "created_at_ms": _thousandth},
    ),
    *differ(
        Why.BEFORE_2020,
        "mtime-before-2020|mtime-negative|mtime-2020-before"
        "|mtime-archived-zero|mtime-archived-negative|mtime-archived-before-2020",
        dict.fromkeys(("updated_at", "updated_at_ms", "recency_at", "recency_at_ms"), _thousandth),
    ),
    *differ(
        Why.EQUAL_MTIMES,
        "0.169.0-compressed/*",
        {
            "updated_at_ms": _mtime_ms,
            "recency_at_ms": _mtime_ms,
        },
    ),
    # Rollouts of 2025.
    *differ(
        Why.LEGACY,
        "header-0.20",
        {
            LISTED: {
                **_said("hi"),
                **_MESSAGE,
                "git_branch": "main",
                "created_at_ms": 1754013784567,
            }
        },
    ),
    *differ(
        Why.LEGACY,
        "0.20.0/hello there|0.20.0/Zusammenfassung*",
        {LISTED: lambda row, _: _of_2025(row)},
    ),
    *differ(
        Why.LEGACY,
        "0.20.0/!echo hi|0.20.0/think hard",
        {LISTED: lambda row, _: {**_of_2025(row), **_GIT, "git_sha": row["git_sha"]}},
    ),
    *differ(
        Why.MODE,
        "sandbox-mode|sandbox-mode-danger|sandbox-mode-write",
        {**_MODEL, "approval_mode": "never"},
    ),
    *differ(Why.MODE, "sandbox-mode-danger", {"sandbox_policy": _DANGER}),
    *differ(
        Why.MODE,
        "sandbox-mode-write",
        {"sandbox_policy": _WRITE.replace("false", "true", 1)},
    ),
    *differ(
        Why.MODE,
        "0.36.0/hello there|0.36.0/!echo hi|0.58.0/hello there|0.58.0/!echo hi|0.58.0/Codex could*",
        {"model": "mock-model", "approval_mode": "never", "sandbox_policy": _DANGER},
    ),
    *differ(
        Why.MODE,
        "0.36.0/Zusammenfassung*|0.58.0/Zusammenfassung*",
        {"model": "other-model", "approval_mode": "never"},
    ),
    *differ(
        Why.MODE,
        "0.36.0/think hard|0.58.0/think hard",
        {
            "model": "mock-model",
            "reasoning_effort": "high",
            "approval_mode": "never",
            "sandbox_policy": _WRITE,
        },
    ),
    *differ(
        Why.MODE,
        "0.58.0/first words",
        {"model": "mock-model", "reasoning_effort": "medium", "sandbox_policy": _WRITE},
    ),
    *differ(Why.MODE, "0.58.0/to be archived, archived", {"model": "mock-model"}),
    # Values that are not known to Codex (yet).
    *differ(
        Why.UNKNOWN_VALUE,
        "approval-unknown|approval-snake|approval-camel|approval-unless-trusted|approval-reject",
        {**_MODEL, "sandbox_policy": _DANGER},
    ),
    *differ(Why.UNKNOWN_VALUE, "approval-unknown", {"approval_mode": "future"}),
    *differ(Why.UNKNOWN_VALUE, "approval-snake", {"approval_mode": "on_request"}),
    *differ(Why.UNKNOWN_VALUE, "approval-camel", {"approval_mode": "onRequest"}),
    *differ(Why.UNKNOWN_VALUE, "approval-unless-trusted", {"approval_mode": "unless-trusted"}),
    *differ(
        Why.UNKNOWN_VALUE,
        "approval-reject",
        {
            "approval_mode": '{"reject":'
            '{"sandbox_approval":true,"rules":false,"mcp_elicitations":true}}'
        },
    ),
    *differ(
        Why.UNKNOWN_VALUE,
        "sandbox-unknown|sandbox-snake|sandbox-camel|sandbox-external-unknown"
        "|profile-unknown|profile-access-unknown|profile-kind-unknown|profile-network-unknown",
        {**_MODEL, "approval_mode": "never"},
    ),
    *differ(
        Why.UNKNOWN_VALUE,
        "sandbox-unknown",
        {"sandbox_policy": '{"type":"future-policy","x":1}'},
    ),
    *differ(Why.UNKNOWN_VALUE, "sandbox-snake", {"sandbox_policy": '{"type":"read_only"}'}),
    *differ(Why.UNKNOWN_VALUE, "sandbox-camel", {"sandbox_policy": '{"type":"readOnly"}'}),
    *differ(
        Why.UNKNOWN_VALUE,
        "sandbox-external-unknown",
        {"sandbox_policy": '{"type":"external-sandbox","network_access":"future"}'},
    ),
    *differ(Why.UNKNOWN_VALUE, "profile-unknown", {"sandbox_policy": '{"type":"future"}'}),
    *differ(
        Why.UNKNOWN_VALUE,
        "profile-access-unknown",
        {"sandbox_policy": _RESTRICTED % (_ROOT, "future", "restricted")},
    ),
    *differ(
        Why.UNKNOWN_VALUE,
        "profile-kind-unknown",
        {"sandbox_policy": _RESTRICTED % (_ROOT.replace("root", "future"), "read", "restricted")},
    ),
    *differ(
        Why.UNKNOWN_VALUE,
        "profile-network-unknown",
        {"sandbox_policy": _RESTRICTED % (_ROOT, "read", "future")},
    ),
    *differ(Why.UNKNOWN_VALUE, "turn-mode-unknown|turn-summary-future", _TURN),
    *(
        each
        for name, source in {
            "internal-unknown": '{"internal":"future"}',
            "alias-subAgent": '{"subAgent":"review"}',
            "alias-sub_agent": '{"sub_agent":"review"}',
            "alias-SubAgent": '{"SubAgent":"Review"}',
            "unknown-key": '{"future":"x"}',
            "subagent-unknown": '{"subagent":"future_kind"}',
            "subagent-unknown-object": '{"subagent":{"future":{"a":1}}}',
            "spawn-camel": '{"subagent":{"threadSpawn":'
            '{"parentThreadId":"11111111-2222-7333-8444-555555555555","depth":1}}}',
        }.items()
        for each in differ(
            Why.UNKNOWN_VALUE, f"source-object-{name}", {LISTED: {**_META, "source": source}}
        )
    ),
    *differ(Why.UNKNOWN_VALUE, "goal-status-unknown", {"preview": "win"}),
    *differ(Why.UNKNOWN_VALUE, "item-content-unknown", _said("hi")),
    # Several files.
    *differ(
        Why.FIRST_FILE,
        "merge|merge-old-mtime|merge-new-mtime|merge-archived-first|merge-same-mtime",
        {"created_at": _STAMP_MS // 1000, "created_at_ms": _STAMP_MS, **_said("one")},
    ),
    *differ(
        Why.FIRST_FILE,
        "merge-swapped",
        {"created_at": 1767409445, "created_at_ms": 1767409445000, **_said("two")},
    ),
    *differ(
        Why.FIRST_FILE,
        "merge-second-headerless",
        {"created_at": _STAMP_MS // 1000, "created_at_ms": _STAMP_MS, **_said("one")},
    ),
    *differ(Why.FIRST_FILE, "merge-history-base", {**_said("one"), "tokens_used": 10}),
    *differ(Why.FIRST_FILE, "merge-three", {**_said("one"), "tokens_used": 20}),
    *differ(
        Why.FIRST_FILE,
        "merge-second-bare",
        {"first_user_message": "one", "title": "one", "tokens_used": 10},
    ),
    *differ(Why.FIRST_FILE, "merge-tokens-first", {"tokens_used": 5}),
    *differ(
        Why.FIRST_FILE, "merge-image-first", {"first_user_message": "[Image]", "preview": "[Image]"}
    ),
    *differ(Why.FIRST_FILE, "merge-name-first", {"first_user_message": "one", "preview": "one"}),
    *differ(Why.FIRST_FILE, "merge-name-second", {"first_user_message": "one"}),
    *differ(Why.FIRST_FILE, "merge-goal-first", {"preview": "win"}),
    *differ(Why.FIRST_FILE, "merge-order-case", _said("upper")),
    *differ(Why.FIRST_FILE, "merge-order-unicode", _said("bmp")),
    *differ(Why.FIRST_FILE, "merge-order-folder", _said("a-b/")),
    *differ(
        Why.FIRST_FILE,
        "0.169.0/first words|0.169.0-compressed/first words",
        {**_said("first words"), "created_at": _earlier, "created_at_ms": _earlier},
    ),
    *differ(
        Why.FIRST_FILE,
        "live/0.169.0 main",
        {**_said("0.169.0 main"), "created_at": _earlier, "created_at_ms": _earlier},
    ),
    *differ(
        Why.LAST_FILE,
        "merge*|0.169.0/first words|live/0.169.0 main",
        {"recency_at": _same_as("updated_at"), "recency_at_ms": _same_as("updated_at_ms")},
    ),
    *differ(
        Why.LAST_FILE,
        "merge|merge-old-mtime|merge-new-mtime|merge-archived-first|merge-same-mtime",
        {"originator": "later"},
    ),
    *differ(Why.LAST_FILE, "merge-swapped", {"originator": "codex_cli_rs"}),
    *differ(Why.LAST_FILE, "merge-second-headerless", {"originator": None}),
    *differ(Why.LAST_FILE, "merge-history-mode", {"history_mode": "legacy"}),
    # Names.
    *differ(Why.NAME, "name|name-alone|name-before-user", _named("My thread")),
    *differ(Why.NAME, "name-later", _named("two")),
    *differ(Why.NAME, "name-trim", _named("spaced")),
    *differ(Why.NAME, "name-then-blank|name-then-null", {"title": "one"}),
    *differ(Why.NAME, "name-other-thread|name-bad-thread|name-extra", _named("x")),
    *differ(Why.NAME, "name-escaped", _named("é\n😀")),
    *differ(Why.NAME, "merge-name-first|merge-name-second", _named("Named")),
    *differ(Why.NAME, "index-and-event", _named("event")),
    *differ(
        Why.NAME,
        "index-then-blank|index-trim|index-null|index-missing|index-number|index-no-stamp"
        "|index-stamp-number|index-crlf|index-blank-line",
        {"name": "one"},
    ),
    *differ(Why.NAME, "index", {"name": "Indexed"}),
    *differ(Why.NAME, "index-two", {"name": "two"}),
    *differ(Why.NAME, "index-older-last", {"name": "old"}),
    *differ(Why.NAME, "index-upper-id", {"name": "Upper"}),
    *differ(Why.NAME, "index-extra", {"name": "x"}),
    *differ(Why.NAME, "index-garbage", {"name": "after garbage"}),
    *differ(Why.NAME, "index-and-blank-event", {"name": "indexed"}),
    *differ(Why.NAME, "index-same-as-message", {"name": "first"}),
    *differ(Why.NAME, "index-unicode", {"name": "é 😀"}),
    *differ(
        Why.NAME,
        "0.99.0/first words|0.130.0/first words|0.169.0*/first words|0.169.0/in the fork, archived"
        "|0.169.0-compressed/in the fork, archived|live/* main|live/0.169.0 fork",
        {"name": "a good name"},
    ),
    # The working directory.
    *(
        each
        for name, path in {
            "slashes": "/",
            "slashes-lead": "/srv/share",
            "slashes-inside": "/a/b",
            "trailing": "/a/b",
            "trailing-two": "/a/b",
            "dot": "/a/b",
            "dotdot": "/c",
            "dotdot-root": "/a",
            "relative-dot": "a",
            "relative-dotdot": "..",
            "dot-only": ".",
            "dotdot-only": "..",
            "uri": "file:/a/b",
            "long": _LONG,
        }.items()
        for each in differ(Why.LEXICAL_CWD, f"cwd-{name}|cwd-turn-{name}", {"cwd": path})
    ),
    *differ(Why.LEXICAL_CWD, "turn-cwd-first", {"cwd": "/turn/b"}),
    *differ(Why.LEXICAL_CWD, "turn-cwd-uri", {"cwd": "file:/a"}),
    # What a row is made of.
    *differ(Why.PREVIEW, "source-object-other", {"preview": ""}),
    *differ(
        Why.UNKNOWN_TYPE,
        "headerless-unknown-only|headerless-odd-event-only",
        {LISTED: {"created_at_ms": 1767323045000}},
    ),
    # Policies.
    *differ(
        Why.POLICY_WORDS,
        "effort-*|turn-no-summary|turn-null-summary|turn-bad-*|turn-personality-future"
        "|zst-*|headerless-segment|merge-second-headerless",
        {"sandbox_policy": _DANGER},
    ),
    *differ(
        Why.POLICY_WORDS,
        "0.169.0-compressed/*|live/* exec|live/* fork|live/* kept",
        {"sandbox_policy": _older_words},
    ),
    *differ(
        Why.POLICY_WORDS,
        "meta-thread_source-*|thread-source-*|headerless-world-state-only",
        {"sandbox_policy": _READ_ONLY},
    ),
    # Tools.
    *differ(Why.NESTED_TOOLS, "tools-nested", {TOOLS: ((0, "t", "does t", _OBJECT, 0, "ns"),)}),
    *differ(
        Why.NESTED_TOOLS, "tools-nested-deferred", {TOOLS: ((0, "t", "does t", _OBJECT, 1, "ns"),)}
    ),
    *differ(
        Why.NESTED_TOOLS,
        "tools-nested-mixed",
        {
            **_META,
            TOOLS: (
                (0, "t", "does t", _OBJECT, 0, None),
                (1, "t", "does t", _OBJECT, 0, "ns"),
                (2, "w", "does t", _OBJECT, 0, None),
            ),
        },
    ),
    *differ(
        Why.NESTED_TOOLS,
        "0.169.0*/with tools|live/0.169.0 tools",
        {
            TOOLS: (
                (0, "lookup", "Look things up", _LOOKUP, 0, None),
                (1, "later", "Only when asked for", _OBJECT, 1, "slow"),
            )
        },
    ),
    # What is not read.
    *differ(
        Why.UNREAD,
        "profile-and-sandbox-external-bare|profile-and-sandbox-*network*"
        "|profile-and-sandbox-*unknown|profile-and-sandbox-path-relative",
        _TURN,
    ),
    *differ(Why.UNREAD, "goal-no-status|goal-no-numbers|goal-snake", {"preview": "win"}),
    *differ(Why.UNREAD, "item-no-thread_id|item-no-turn_id|item-elements-bad", _said("hi")),
    *differ(
        Why.UNREAD,
        "applied-no-collaboration_mode|applied-no-approvals_reviewer|applied-reviewer-unknown",
        {
            "model": "gpt-9",
            "reasoning_effort": "low",
            "approval_mode": "untrusted",
            "model_provider": "mock",
            "cwd": "/applied",
        },
    ),
    *differ(Why.UNREAD, "tools-schema-float-over", {TOOLS: ((0, "t", "d", "[1e400]", 0, None),)}),
    *differ(
        Why.NEWER_REFUSES,
        "meta-optional-null-selected_capability_roots|meta-optional-null-session_id"
        "|meta-optional-number-*|tools-schema-integers|tools-schema-numbers|tools-typed-unknown",
        {"originator": "codex_cli_rs"},
    ),
    *differ(
        Why.NEWER_REFUSES,
        "record-ordinal-text|record-ordinal-negative|json-big-number",
        {"preview": "x"},
    ),
    *differ(Why.DEEP, "json-deep-126|json-deep-127|json-deep-objects", _said("x")),
    *differ(
        Why.DEEP,
        "tools-schema-deeper",
        {**_META, TOOLS: ((0, "t", "d", "[" * 126 + "]" * 126, 0, None),)},
    ),
    *differ(Why.SEQUENCES, "git-list|source-object-spawn-list", {LISTED: None}),
    *differ(
        Why.SEQUENCES,
        "sandbox-list",
        {"model": None, "reasoning_effort": None, "approval_mode": "on-request"},
    ),
)
