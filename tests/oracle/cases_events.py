"""event_msg: token counts, applied settings, and what is unknown."""

from .cases_build import Case, Json, Value, case, event, meta, tokens, turn, user

TOKENS = "rollouts.md: tokens_used"
SETTINGS = "rollouts.md: thread_settings_applied"

TOTALS: dict[str, Json] = {
    "zero": 0,
    "negative": -5,
    "float": 1.0,
    "text": "5",
    "null": None,
    "bool": True,
    "max": 9223372036854775807,
    "over": 9223372036854775808,
    "over-u64": 18446744073709551616,
    "min": -9223372036854775808,
}
PARTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")


PROFILE: dict[str, Json] = {"type": "disabled"}
APPLIED: dict[str, Json] = {
    "model": "gpt-9",
    "model_provider_id": "mock",
    "approval_policy": "untrusted",
    "approvals_reviewer": "user",
    "permission_profile": PROFILE,
    "cwd": "/applied",
    "reasoning_effort": "low",
    "collaboration_mode": {"mode": "default", "settings": {"model": "gpt-9"}},
}


def applied(**changes: Value) -> bytes:
    kept = {k: v for k, v in {**APPLIED, **changes}.items() if v is not ...}
    return event("thread_settings_applied", thread_settings=kept)


CASES: tuple[Case, ...] = (
    *(
        case(f"tokens-{name}", TOKENS, meta(), tokens(3), tokens(total))
        for name, total in TOTALS.items()
    ),
    *(case(f"tokens-no-{part}", TOKENS, meta(), tokens(9, **{part: ...})) for part in PARTS),
    *(case(f"tokens-text-{part}", TOKENS, meta(), tokens(9, **{part: "1"})) for part in PARTS),
    case("tokens-none", TOKENS, meta()),
    case("tokens-info-null", TOKENS, meta(), tokens(3), event("token_count", info=None)),
    case("tokens-info-absent", TOKENS, meta(), tokens(3), event("token_count")),
    case("tokens-lower", TOKENS, meta(), tokens(30), tokens(4)),
    case(
        "tokens-no-last",
        TOKENS,
        meta(),
        event("token_count", info={"total_token_usage": {"total_tokens": 5}}),
    ),
    case(
        "tokens-only-total",
        TOKENS,
        meta(),
        event(
            "token_count",
            info={
                "total_token_usage": {"total_tokens": 5},
                "last_token_usage": {"total_tokens": 5},
            },
        ),
    ),
    case(
        "tokens-window-null",
        TOKENS,
        meta(),
        tokens(3).replace(b'"model_context_window":1000', b'"model_context_window":null'),
    ),
    case(
        "tokens-window-text",
        TOKENS,
        meta(),
        tokens(3).replace(b'"model_context_window":1000', b'"model_context_window":"1"'),
    ),
    case(
        "tokens-limits-bad",
        TOKENS,
        meta(),
        tokens(3).replace(b'"rate_limits":null', b'"rate_limits":"x"'),
    ),
    case(
        "tokens-limits-empty",
        TOKENS,
        meta(),
        tokens(3).replace(b'"rate_limits":null', b'"rate_limits":{}'),
    ),
    case(
        "tokens-limits-future",
        TOKENS,
        meta(),
        tokens(3).replace(
            b'"rate_limits":null',
            b'"rate_limits":{"primary":null,"secondary":null,"plan_type":"future"}',
        ),
    ),
    case(
        "tokens-limits-old",
        TOKENS,
        meta(),
        tokens(3).replace(b'"rate_limits":null', b'"rate_limits":{"primary_used_percent":1.0}'),
    ),
    case("tokens-extra", TOKENS, meta(), tokens(3, future=1, cache_write_input_tokens=2)),
    case("tokens-extra-text", TOKENS, meta(), tokens(3, cache_write_input_tokens="x")),
    case("applied", SETTINGS, meta(), turn(), applied()),
    case("applied-alone", SETTINGS, meta(), applied()),
    case("applied-then-turn", SETTINGS, meta(), applied(), turn()),
    case("applied-cwd-dots", SETTINGS, meta(), turn(), applied(cwd="/a/../b/./")),
    case("applied-cwd-relative", SETTINGS, meta(), turn(), applied(cwd="a")),
    case("applied-cwd-empty", SETTINGS, meta(), turn(), applied(cwd="")),
    case("applied-provider-empty", SETTINGS, meta(), turn(), applied(model_provider_id="")),
    case("applied-then-meta", SETTINGS, meta(), applied(), meta()),
    case("applied-effort-null", SETTINGS, meta(), turn(), applied(reasoning_effort=None)),
    case("applied-effort-absent", SETTINGS, meta(), turn(), applied(reasoning_effort=...)),
    case(
        "applied-granular",
        SETTINGS,
        meta(),
        turn(),
        applied(
            approval_policy={
                "granular": {"sandbox_approval": True, "rules": True, "mcp_elicitations": False}
            }
        ),
    ),
    case(
        "applied-managed",
        SETTINGS,
        meta(),
        turn(),
        applied(
            permission_profile={
                "type": "managed",
                "file_system": {"type": "unrestricted"},
                "network": "enabled",
            }
        ),
    ),
    *(
        case(f"applied-no-{key}", SETTINGS, meta(), turn(), applied(**{key: ...}))
        for key in APPLIED
    ),
    case("applied-reviewer-unknown", SETTINGS, meta(), turn(), applied(approvals_reviewer="x")),
    case("event-unknown", "an event of a newer release", meta(), event("future", a=[1])),
    case("event-no-type", "an event without a type", meta(), event(...), user()),
    case("event-type-number", "an event with a number for a type", meta(), event(1), user()),
)
