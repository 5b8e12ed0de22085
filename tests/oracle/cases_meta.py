"""session_meta: what it cannot do without, ids, timestamps, provider, agents, a second one."""

from .cases_build import Case, Json, case, meta, thread_id, turn, user

CANONICAL = "rollouts.md: canonical id, required in a session_meta"
CREATED = "rollouts.md: created_at"
PROVIDER = "rollouts.md: model_provider"
PLAIN = "rollouts.md: cli_version, originator, thread_source, history_mode, agent fields"
MEMORY = "rollouts.md: memory_mode"
SECOND = "rollouts.md: a later session_meta"

REQUIRED = ("id", "timestamp", "cwd", "originator", "cli_version")
OPTIONAL = (
    "model_provider",
    "agent_nickname",
    "agent_role",
    "agent_path",
    "thread_source",
    "history_mode",
    "memory_mode",
    "dynamic_tools",
    "git",
    "base_instructions",
    "forked_from_id",
    "parent_thread_id",
    "session_id",
    "history_base",
    "multi_agent_version",
    "context_window",
    "selected_capability_roots",
    "instructions",
)
STAMPS = (
    "2026-03-04T05:06:07Z",
    "2026-03-04T05:06:07+02:00",
    "2026-03-04T05:06:07.5-05:30",
    "2026-03-04t05:06:07z",
    "2026-03-04 05:06:07Z",
    "2026-03-04_05:06:07Z",
    "2026-03-04T05:06:07",
    "2026-03-04T05:06Z",
    "2026-03-04T05:06:07.Z",
    "2026-03-04T05:06:07.1Z",
    "2026-03-04T05:06:07.9999Z",
    "2026-03-04T05:06:07.123456789Z",
    "2026-03-04T05:06:07.9999999999Z",
    "2026-03-04T05:06:07,5Z",
    "2026-03-04T05:06:60Z",
    "2026-03-04T23:59:60.5Z",
    "2026-03-04T05:06:61Z",
    "2026-03-04T24:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-3-4T05:06:07Z",
    "2026-03-04T05:06:07+0200",
    "2026-03-04T05:06:07+02",
    "2026-03-04T05:06:07-00:00",
    "2026-03-04T05:06:07+24:00",
    "2026-03-04T05:06:07 Z",
    " 2026-03-04T05:06:07Z",
    "2026-03-04T05:06:07Z ",
    "2026-03-04T05-06-07",
    "2026-03-04T05-06-07Z",
    "2026-03-04T05-06-60",
    "2026-3-4T5-6-7",
    " 2026-03-04T05-06-07",
    "+2026-03-04T05-06-07",
    "2026-03-04T05-06-07 ",
    "1969-12-31T23:59:59.250Z",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00-00-01",
    "2001-09-09T01:46:40.123Z",
    "2019-12-31T23:59:59.999Z",
    "2020-01-01T00:00:00.001Z",
    "9999-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59-23:59",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00.5Z",
    "10000-01-01T00:00:00Z",
    "today",
    "",
)
IDS: dict[str, str] = {
    "upper": "@ID@",
    "simple": "@hex@",
    "braced": "{@id@}",
    "urn": "urn:uuid:@id@",
    "urn-upper": "URN:UUID:@id@",
    "space": " @id@",
    "short": thread_id("id-short")[:-1],
    "braced-simple": "{@hex@}",
    "hyphens-moved": thread_id("id-hyphens-moved").replace("-", "", 1) + "-",
    "word": "thread",
    "empty": "",
}
WORDS: tuple[Json, ...] = (None, "", "user", "subagent", "memory_consolidation", "future", 1)

CASES: tuple[Case, ...] = (
    *(case(f"meta-no-{key}", CANONICAL, meta(**{key: ...}), user()) for key in REQUIRED),
    *(case(f"meta-null-{key}", CANONICAL, meta(**{key: None}), user()) for key in REQUIRED),
    *(case(f"meta-number-{key}", CANONICAL, meta(**{key: 1}), user()) for key in REQUIRED),
    *(case(f"meta-empty-{key}", CANONICAL, meta(**{key: ""}), user()) for key in REQUIRED),
    *(case(f"meta-optional-null-{key}", PLAIN, meta(**{key: None}), user()) for key in OPTIONAL),
    *(case(f"meta-optional-number-{key}", PLAIN, meta(**{key: 1}), user()) for key in OPTIONAL),
    case("meta-optional-absent", PLAIN, meta(model_provider=..., source=...)),
    case("meta-unknown-key", PLAIN, meta(future={"a": [1, None]})),
    case("meta-lost", "the file name stands in for the record", meta(cwd=...), turn(), user()),
    case("meta-lost-alone", "nothing left in the file", meta(cwd=...)),
    *(case(f"id-{name}", CANONICAL, meta(id=text), user()) for name, text in IDS.items()),
    case("id-other-than-name", "the record is right, not the name", meta(id="@other@"), user()),
    *(case(f"stamp-{text}", CREATED, meta(timestamp=text), user()) for text in STAMPS),
    case(
        "stamp-line-differs",
        CREATED,
        meta(timestamp="2026-03-04T05:06:07Z").replace(
            b"2026-01-02T03:04:05.678Z", b"2025-01-01T00:00:00Z"
        ),
    ),
    case("provider-absent", PROVIDER, meta(model_provider=...)),
    case("provider-null", PROVIDER, meta(model_provider=None)),
    *(
        case(f"provider-{text}", PROVIDER, meta(model_provider=text))
        for text in ("", " ", "mock", "é")
    ),
    *(
        case(f"meta-{key}-{word}", PLAIN, meta(**{key: word}))
        for key in ("thread_source", "history_mode", "agent_nickname", "agent_role", "memory_mode")
        for word in WORDS
    ),
    *(
        case(f"history-{word}", PLAIN, meta(history_mode=word))
        for word in ("legacy", "paginated", "Legacy", "compacted")
    ),
    *(
        case(f"thread-source-{word}", PLAIN, meta(thread_source=word))
        for word in ("User", "automation", "guardian", " user ")
    ),
    *(
        case(f"agent-path-{path}", PLAIN, meta(agent_path=path))
        for path in ("/root", "/root/a_1/b2", "root/a", "", "/root/A", "/x", "anything")
    ),
    case("agent-type", PLAIN, meta(agent_type="worker")),
    case("agent-type-and-role", PLAIN, meta(agent_type="worker", agent_role="explorer")),
    case("originator-unicode", PLAIN, meta(originator="codex\u00e9 \U0001f600\n")),
    case("memory-later", MEMORY, meta(memory_mode="disabled"), meta(memory_mode="polluted")),
    case("memory-null-later", MEMORY, meta(memory_mode="disabled"), meta(memory_mode=None)),
    case("memory-other-id", MEMORY, meta(), meta(id="@other@", memory_mode="disabled")),
    case("memory-empty-later", MEMORY, meta(memory_mode="disabled"), meta(memory_mode="")),
    case("memory-before", MEMORY, meta(id="@other@", memory_mode="disabled"), meta()),
    case(
        "second-same",
        SECOND,
        meta(
            agent_nickname="a",
            agent_role="b",
            agent_path="/root/a",
            thread_source="user",
            history_mode="paginated",
        ),
        meta(
            source="exec",
            cwd="/second",
            cli_version="9",
            originator="later",
            model_provider="mock",
            timestamp="2027-01-01T00:00:00Z",
            agent_nickname="c",
            agent_role="d",
            agent_path="/root/c",
            thread_source="subagent",
            history_mode="legacy",
        ),
    ),
    case(
        "second-bare",
        SECOND,
        meta(
            agent_nickname="a",
            agent_role="b",
            agent_path="/root/a",
            thread_source="user",
            history_mode="paginated",
            model_provider="mock",
        ),
        meta(source=..., cwd="", cli_version="", originator="", model_provider=...),
    ),
    case("second-provider-empty", SECOND, meta(model_provider="mock"), meta(model_provider="")),
    case("second-bad", SECOND, meta(), meta(source="exec", cwd=...)),
    case(
        "second-other",
        SECOND,
        meta(),
        meta(
            id="@other@",
            source="exec",
            cwd="/other",
            cli_version="9",
            originator="x",
            agent_role="r",
        ),
    ),
    case(
        "second-is-canonical",
        "the first valid session_meta decides, not the name",
        meta(id="@other@", cwd="/other"),
        meta(),
        user(),
    ),
    case(
        "second-after-bad-stamp",
        "the first one's timestamp does not parse: name and later lines",
        meta(timestamp="no", cwd="/first"),
        meta(cwd="/second", source="exec"),
    ),
    case(
        "second-other-bad-stamp",
        "another id whose timestamp does not parse",
        meta(id="@other@", timestamp="no"),
        user(),
    ),
    case("second-originator", SECOND, meta(originator=""), meta(originator="later")),
    case("second-originator-null", SECOND, meta(originator="first"), meta(originator="")),
    case("second-history", SECOND, meta(), meta(history_mode="paginated")),
    case("second-history-bad", SECOND, meta(), meta(history_mode="future"), user()),
    case(
        "second-other-history-bad",
        SECOND,
        meta(),
        meta(id="@other@", history_mode="future"),
        user(),
    ),
    case(
        "bad-stamp-history",
        "which fields a session_meta without a time still gives",
        meta(
            timestamp="no",
            history_mode="paginated",
            thread_source="user",
            agent_role="r",
            originator="o",
            memory_mode="disabled",
            git={"branch": "b"},
        ),
    ),
    case("second-far", SECOND, meta(), turn(), user(), meta(source="exec", cli_version="2")),
)
