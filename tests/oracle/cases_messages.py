"""event_msg: user messages, completed items, goals."""

from .cases_build import Case, Json, Value, case, event, line, meta, user

FIRST = "rollouts.md: first_user_message, title, preview"
GOAL = "rollouts.md: preview, the objective of a thread_goal_updated"
ITEM = "rollouts.md: item_completed of a UserMessage"

BEGIN = "## My request for Codex:"
MESSAGES: dict[str, str] = {
    "plain": "hello",
    "prefix": f"{BEGIN} do it",
    "prefix-lines": f"# Context\nopen files\n\n{BEGIN}\n\ndo it\nnow\n",
    "prefix-inside": f"before {BEGIN}after",
    "prefix-twice": f"{BEGIN} one {BEGIN} two",
    "prefix-only": BEGIN,
    "prefix-blank": f"text {BEGIN}  \n",
    "prefix-case": "## my request for codex: x",
    "prefix-no-colon": "## My request for Codex x",
    "prefix-narrow": "## My request for Codex:\u00a0x",
    "blank": " \n\t ",
    "empty": "",
    "trim-unicode": "\u00a0\u2003\u3000\u2028\u0085\u000b\u000chi\u1680\u205f\u202f\u2029",
    "trim-not": "\u200b\ufeff\u180ehi\u200b\u2060",
    "trim-controls": "\u001c\u001d\u001e\u001fhi\u001f",
    "trim-nul": "\u0000hi\u0000",
    "lines": "one\ntwo\r\nthree\u2028four",
    "emoji": "😀 \ud7ff é 日本",
    "injected": "<environment_context>\n<cwd>/w</cwd>\n</environment_context>",
    "agents": "# AGENTS.md instructions for /w",
    "long": "x" * 5000,
}
IMAGE = "data:image/png;base64,AA=="


def goal(objective: Value, **changes: Value) -> bytes:
    base: dict[str, Value] = {
        "threadId": "@id@",
        "objective": objective,
        "status": "active",
        "tokensUsed": 0,
        "timeUsedSeconds": 0,
        "createdAt": 1,
        "updatedAt": 2,
    }
    kept = {k: v for k, v in {**base, **changes}.items() if v is not ...}
    return event("thread_goal_updated", threadId="@id@", goal=kept)


def text(words: Json, **more: Json) -> dict[str, Json]:
    return {"type": "text", "text": words, **more}


def completed(*content: Json, **changes: Value) -> bytes:
    base: dict[str, Value] = {
        "thread_id": "@id@",
        "turn_id": "t1",
        "item": {"type": "UserMessage", "id": "i1", "content": content},
        "completed_at_ms": 1,
    }
    return event("item_completed", **{**base, **changes})


def other_item(kind: str, content: Json) -> bytes:
    return completed(item={"type": kind, "id": "i1", "content": [content]})


CASES: tuple[Case, ...] = (
    *(case(f"user-{name}", FIRST, meta(), user(message)) for name, message in MESSAGES.items()),
    case("user-two", FIRST, meta(), user("one"), user("two")),
    case("user-blank-then", FIRST, meta(), user("  "), user("two")),
    case("user-missing", FIRST, meta(), user(...)),
    case("user-null", FIRST, meta(), user(None)),
    case("user-number", FIRST, meta(), user(1)),
    case("user-extra", FIRST, meta(), user("hi", kind="plain", text_elements=[], future={"a": 1})),
    case("user-kind", FIRST, meta(), user("hi", kind="environment_context")),
    case("user-images", FIRST, meta(), user("", images=[IMAGE])),
    case("user-images-text", FIRST, meta(), user("look", images=[IMAGE])),
    case("user-images-then-text", FIRST, meta(), user("", images=[IMAGE]), user("words")),
    case("user-images-empty", FIRST, meta(), user("", images=[], local_images=[])),
    case("user-images-null", FIRST, meta(), user("", images=None)),
    case("user-images-object", FIRST, meta(), user("", images=[{"url": IMAGE}])),
    case("user-local-images", FIRST, meta(), user(" ", local_images=["/a.png"])),
    case("user-local-images-null", FIRST, meta(), user("hi", local_images=None)),
    case("user-local-images-bad", FIRST, meta(), user("hi", local_images="x")),
    case("user-images-bad", FIRST, meta(), user("hi", images="x")),
    case("user-elements-bad", FIRST, meta(), user("hi", text_elements="x")),
    case("user-elements-null", FIRST, meta(), user("hi", text_elements=None)),
    case("user-audio", FIRST, meta(), user("", audio=["data:audio/mp3;base64,AA=="])),
    case("user-local-audio", FIRST, meta(), user("", local_audio=["/a.mp3"])),
    case("user-audio-and-image", FIRST, meta(), user("", images=[IMAGE], local_audio=["/a.mp3"])),
    case(
        "user-response-item",
        "response items never name a thread",
        meta(),
        line(
            "response_item",
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        ),
    ),
    case("goal", GOAL, meta(), goal(" win\n"), user("later")),
    case("goal-after", GOAL, meta(), user("first"), goal("later")),
    case("goal-blank", GOAL, meta(), goal("  ")),
    case("goal-image-first", GOAL, meta(), user("", images=[IMAGE]), goal("later")),
    case("goal-status-unknown", GOAL, meta(), goal("win", status="future")),
    case("goal-no-status", GOAL, meta(), goal("win", status=...)),
    case("goal-no-numbers", GOAL, meta(), goal("win", tokensUsed=..., createdAt=...)),
    case("goal-other-thread", GOAL, meta(), goal("win", threadId="@other@")),
    case(
        "goal-snake",
        GOAL,
        meta(),
        event(
            "thread_goal_updated",
            thread_id="@id@",
            goal={
                "thread_id": "@id@",
                "objective": "win",
                "status": "active",
                "tokens_used": 0,
                "time_used_seconds": 0,
                "created_at": 1,
                "updated_at": 1,
            },
        ),
    ),
    case("item", ITEM, meta(), completed(text("hello"))),
    case("item-two-texts", ITEM, meta(), completed(text("one"), text(" two\n"), text("three"))),
    case("item-prefix", ITEM, meta(), completed(text(f"x {BEGIN} do"), text(" it"))),
    case("item-image", ITEM, meta(), completed({"type": "image", "image_url": IMAGE})),
    case("item-local-image", ITEM, meta(), completed({"type": "local_image", "path": "/a.png"})),
    case(
        "item-image-text",
        ITEM,
        meta(),
        completed({"type": "image", "image_url": IMAGE}, text("look")),
    ),
    case("item-audio", ITEM, meta(), completed({"type": "audio", "audio_url": "data:,"})),
    case("item-local-audio", ITEM, meta(), completed({"type": "local_audio", "path": "/a.mp3"})),
    case("item-skill", ITEM, meta(), completed({"type": "skill", "name": "s", "path": "/s"})),
    case("item-mention", ITEM, meta(), completed({"type": "mention", "name": "s", "path": "a"})),
    case(
        "item-mention-text",
        ITEM,
        meta(),
        completed({"type": "mention", "name": "s", "path": "a"}, text("hi")),
    ),
    case("item-content-unknown", ITEM, meta(), completed({"type": "future"}, text("hi"))),
    case("item-empty", ITEM, meta(), completed()),
    case("item-elements", ITEM, meta(), completed(text("hi", text_elements=[]))),
    case("item-elements-bad", ITEM, meta(), completed(text("hi", text_elements="x"))),
    case("item-text-null", ITEM, meta(), completed(text(None))),
    case("item-agent", ITEM, meta(), other_item("AgentMessage", {"type": "Text", "text": "hi"})),
    case("item-snake", ITEM, meta(), other_item("user_message", text("hi"))),
    case("item-camel", ITEM, meta(), other_item("userMessage", text("hi"))),
    case("item-unknown", ITEM, meta(), other_item("Future", text("hi"))),
    case("item-other-thread", ITEM, meta(), completed(text("hi"), thread_id="@other@")),
    *(
        case(f"item-no-{key}", ITEM, meta(), completed(text("hi"), **{key: ...}))
        for key in ("thread_id", "turn_id", "item", "completed_at_ms")
    ),
    case("item-both", ITEM, meta(), user("legacy"), completed(text("item"))),
    case("item-first", ITEM, meta(), completed(text("item")), user("legacy")),
    case(
        "item-started",
        ITEM,
        meta(),
        event(
            "item_started",
            thread_id="@id@",
            turn_id="t",
            item={"type": "UserMessage", "id": "i", "content": [text("hi")]},
        ),
    ),
)
