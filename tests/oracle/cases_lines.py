"""Bytes and JSON: what is a line, what is a record, and what one bad line costs."""

from .cases_build import (
    PATH,
    STAMP,
    Case,
    case,
    event,
    files,
    line,
    meta,
    raw,
    rollout,
    tokens,
    turn,
    user,
)

BYTES = "issue A: what it must survive (bytes)"
JSON = "rollouts.md: a line; issue A: what it must survive (JSON)"
SHAPE = "rollouts.md: a line that is not an object of this shape"

HEAD = meta()
TAIL = user("after")
BODIES: dict[str, bytes] = {
    "empty": b"",
    "newline": b"\n",
    "blank": b" \n\t\n\r\n",
    "garbage": b"garbage\nmore\n",
    "garbage-binary": bytes(range(128, 256)),
    "nul": b"\0" * 100,
    "no-newline": rollout(HEAD, TAIL, end=b""),
    "torn": rollout(HEAD, TAIL, user("x")[:-9], end=b""),
    "torn-newline": rollout(HEAD, TAIL, user("x")[:-9]),
    "torn-first": rollout(HEAD[:-9], end=b""),
    "torn-utf8": rollout(HEAD, TAIL) + user("é").split(b"\xa9")[0],
    "crlf": rollout(HEAD, TAIL).replace(b"\n", b"\r\n"),
    "cr": rollout(HEAD, TAIL).replace(b"\n", b"\r"),
    "blank-lines": rollout(b"", HEAD, b"", b"  ", TAIL, b""),
    "spaces-around": rollout(b" \t" + HEAD + b" \t", TAIL),
    "form-feed": rollout(b"\x0c" + HEAD, b"\x0b" + TAIL),
    "nbsp": rollout(HEAD, b"\xc2\xa0" + TAIL),
    "bom": rollout(b"\xef\xbb\xbf" + HEAD, TAIL),
    "bom-second": rollout(HEAD, b"\xef\xbb\xbf" + TAIL),
    "bom-alone": b"\xef\xbb\xbf",
    "utf16": f"{HEAD.decode()}\n{TAIL.decode()}".encode("utf-16"),
    "nul-line": rollout(HEAD, b"\0\0\0", TAIL),
    "nul-inside": rollout(HEAD, TAIL.replace(b"after", b"a\0b"), TAIL),
    "nul-tail": rollout(HEAD, TAIL) + b"\0" * 4096,
    "control-inside": rollout(HEAD, TAIL.replace(b"after", b"a\x01b"), TAIL),
    "tab-inside": rollout(HEAD, TAIL.replace(b"after", b"a\tb"), TAIL),
    "bad-utf8": rollout(HEAD, b'{"a":"\xff"}', TAIL),
    "bad-utf8-first": rollout(b"\xff\xfe", HEAD, TAIL),
    "bad-utf8-last": rollout(HEAD, TAIL, b"\xc3"),
    "bad-utf8-torn": rollout(HEAD, TAIL, b'{"a":"\xff', end=b""),
    "bad-utf8-text": rollout(HEAD, user("x").replace(b'"x"', b'"a\xffb"'), TAIL),
    "overlong": rollout(HEAD, user("x").replace(b'"x"', b'"\xc0\xaf"'), TAIL),
    "surrogate-bytes": rollout(HEAD, user("x").replace(b'"x"', b'"\xed\xa0\x80"'), TAIL),
    "separators": rollout(HEAD, user("a\u2028b\u2029c\u0085d")),
    "two-on-a-line": rollout(HEAD, TAIL + user("second")),
    "two-with-space": rollout(HEAD, TAIL + b" " + user("second")),
    "trailing-comma": rollout(HEAD, TAIL + b",", user("next")),
    "comment": rollout(HEAD, b"// note", TAIL),
    "array": rollout(b"[" + HEAD + b"]", TAIL),
    "pretty": HEAD.replace(b",", b",\n"),
}
RECORDS: dict[str, bytes] = {
    "null": b"null",
    "number": b"1",
    "string": b'"text"',
    "list": b"[]",
    "object": b"{}",
    "no-type": line(..., {"type": "user_message", "message": "x"}),
    "type-null": line(None, {"a": 1}),
    "type-number": line(1, {"a": 1}),
    "type-unknown": line("future", {"a": 1}),
    "type-upper": line("Event_msg", {"type": "user_message", "message": "x"}),
    "no-payload": line("event_msg", ...),
    "payload-null": line("event_msg", None),
    "payload-list": line("event_msg", ["user_message", "x"]),
    "payload-string": line("event_msg", "user_message"),
    "no-timestamp": line("event_msg", {"type": "user_message", "message": "x"}, timestamp=...),
    "timestamp-null": line("event_msg", {"type": "user_message", "message": "x"}, timestamp=None),
    "timestamp-number": line("event_msg", {"type": "user_message", "message": "x"}, timestamp=1),
    "timestamp-odd": line("event_msg", {"type": "user_message", "message": "x"}, timestamp="odd"),
    "timestamp-empty": line("event_msg", {"type": "user_message", "message": "x"}, timestamp=""),
    "extra-keys": line("event_msg", {"type": "user_message", "message": "x"}, ordinal=3, z=[{}]),
    "ordinal-text": line("event_msg", {"type": "user_message", "message": "x"}, ordinal="3"),
    "ordinal-null": line("event_msg", {"type": "user_message", "message": "x"}, ordinal=None),
    "ordinal-negative": line("event_msg", {"type": "user_message", "message": "x"}, ordinal=-1),
    "world-state": line("world_state", {"full": True, "state": {}}),
    "compacted": line("compacted", {"message": "m"}),
    "response": line("response_item", {"type": "message", "role": "assistant", "content": []}),
    "record-type": b'{"record_type":"state"}',
}
U = '{"timestamp":"' + STAMP + '","type":"event_msg","payload":{"type":"user_message",%s}}'
SPELLINGS: dict[str, str] = {
    "reordered": '{"payload":{"message":"x","type":"user_message"},"type":"event_msg",'
    '"timestamp":"' + STAMP + '"}',
    "spaced": '{ "timestamp" : "' + STAMP + '" ,\t"type":"event_msg",\r "payload" : { "type" : '
    '"user_message" , "message" : "x" } }',
    "escaped-keys": '{"t\\u0069mestamp":"' + STAMP + '","t\\u0079pe":"event\\u005fmsg",'
    '"payloa\\u0064":{"\\u0074ype":"user_m\\u0065ssage","m\\u0065ssage":"x"}}',
    "escapes": U % '"message":"\\u0041\\n\\t\\/\\"\\\\\\ud83d\\ude00\\u00e9\\u0000\\b\\f"',
    "lone-high": U % '"message":"a\\ud83db"',
    "lone-low": U % '"message":"a\\ude00b"',
    "lone-unread": U % '"message":"x","future":"\\ud83d"',
    "bad-escape": U % '"message":"\\x41"',
    "bad-hex": U % '"message":"\\u00g1"',
    "twice-type": U.replace('"type":"event_msg"', '"type":"future","type":"event_msg"')
    % '"message":"x"',
    "twice-type-same": U.replace('"type":"event_msg"', '"type":"event_msg","type":"event_msg"')
    % '"message":"x"',
    "twice-timestamp": U.replace('"type":"event_msg"', '"timestamp":"","type":"event_msg"')
    % '"message":"x"',
    "twice-payload": U.replace('"payload"', '"payload":{},"payload"') % '"message":"x"',
    "twice-unknown": U.replace('"type":"event_msg"', '"a":1,"type":"event_msg","a":2')
    % '"message":"x"',
    "twice-kind": U % '"message":"x","type":"user_message"',
    "twice-kind-differs": U % '"message":"x","type":"token_count"',
    "twice-message": U % '"message":"one","message":"two"',
    "twice-deep": U % '"message":"x","future":{"a":1,"a":2}',
    "big-number": U % '"message":"x","future":123456789012345678901234567890',
    "big-exponent": U % '"message":"x","future":1e999',
    "small-exponent": U % '"message":"x","future":1e-999',
    "many-digits": U % ('"message":"x","future":0.' + "1" * 400),
    "leading-zero": U % '"message":"x","future":01',
    "plus": U % '"message":"x","future":+1',
    "dot": U % '"message":"x","future":1.',
    "nan": U % '"message":"x","future":NaN',
    "infinity": U % '"message":"x","future":-Infinity',
    "minus-zero": U % '"message":"x","future":-0',
    "trailing-comma": U % '"message":"x",',
    "single-quotes": U % "'message':'x'",
    "deep-100": U % ('"message":"x","future":' + "[" * 100 + "]" * 100),
    "deep-125": U % ('"message":"x","future":' + "[" * 125 + "]" * 125),
    "deep-126": U % ('"message":"x","future":' + "[" * 126 + "]" * 126),
    "deep-127": U % ('"message":"x","future":' + "[" * 127 + "]" * 127),
    "deep-5000": U % ('"message":"x","future":' + "[" * 5000 + "]" * 5000),
    "deep-objects": U % ('"message":"x","future":' + '{"a":' * 200 + "1" + "}" * 200),
    "deep-unclosed": U % ('"message":"x","future":' + "[" * 50),
}
SPAWN = '"source":{"subagent":{"thread_spawn":{%s}}}'
PARENT = '"parent_thread_id":"@other@"'
TWICE: dict[str, bytes] = {
    "meta-cwd": meta('"cwd":"/two"'),
    "meta-id": meta('"id":"@other@"', id="@id@"),
    "meta-unknown": meta('"x":1,"x":2'),
    "meta-git": meta('"git":{"branch":"a"},"git":{"branch":"b"}'),
    "meta-in-git": meta('"git":{"branch":"a","branch":"b"}'),
    "meta-in-spawn": meta(SPAWN % (PARENT + ',"depth":1,"depth":2'), source=...),
    "meta-in-custom": meta('"source":{"custom":"a","custom":"b"}', source=...),
    "meta-in-tools": meta(
        '"dynamic_tools":[{"name":"a","name":"b","description":"","inputSchema":{}}]'
    ),
    "turn-model": turn('"model":"two"'),
    "turn-cwd": turn('"cwd":"/two"'),
    "turn-in-sandbox": turn(
        '"sandbox_policy":{"type":"read-only","network_access":false,"network_access":true}',
        sandbox_policy=...,
    ),
    "turn-sandbox-type": turn(
        '"sandbox_policy":{"type":"read-only","type":"danger-full-access"}', sandbox_policy=...
    ),
    "tokens-info": tokens(3, '"info":null'),
    "tokens-total": tokens(3).replace(b'"total_tokens":3', b'"total_tokens":3,"total_tokens":4'),
}

CASES: tuple[Case, ...] = (
    *(files(f"bytes-{name}", BYTES, {PATH: body}) for name, body in BODIES.items()),
    *(case(f"record-{name}", SHAPE, HEAD, record, TAIL) for name, record in RECORDS.items()),
    *(case(f"json-{name}", JSON, HEAD, raw(text), TAIL) for name, text in SPELLINGS.items()),
    *(case(f"twice-{name}", JSON, HEAD, record, TAIL) for name, record in TWICE.items()),
    case("twice-meta-alone", JSON, meta('"cwd":"/two"'), TAIL),
    case("meta-not-first", "session_meta after other lines", turn(), TAIL, meta(source="exec")),
    case(
        "meta-flat",
        "a session_meta without payload",
        raw(HEAD.replace(b'"payload":{', b"").replace(b"}}", b"}")),
        TAIL,
    ),
    case(
        "meta-nested",
        "a session_meta spelt with an inner meta",
        line("session_meta", {"meta": {"id": "@id@"}}),
        TAIL,
    ),
    case("meta-line-no-timestamp", SHAPE, raw(HEAD.replace(b'"timestamp"', b'"at"', 1)), TAIL),
    case("headerless", "id and time from the file name", turn(), TAIL),
    case("headerless-unknown-only", SHAPE, line("future", {})),
    case("headerless-response-only", SHAPE, RECORDS["response"]),
    case("headerless-compacted-only", SHAPE, RECORDS["compacted"]),
    case("headerless-world-state-only", SHAPE, RECORDS["world-state"]),
    case("headerless-odd-event-only", SHAPE, event("future")),
    case(
        "header-0.20",
        "releases of mid-2025: a bare header",
        raw(
            '{"id":"@id@","timestamp":'
            '"2025-08-01T02:03:04.567Z","instructions":null,"git":{"branch":"main"}}'
        ),
        raw(
            '{"type":"message","role":"user","content":[{"type":"input_text","text":'
            '"<environment_context>x"}]}'
        ),
        raw('{"record_type":"state"}'),
        raw('{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}'),
    ),
)
