"""The cases that the oracle test puts before the real Codex and before rolloutd.

No expected values: the real Codex is the judge.
"""

from . import (
    cases_cwd,
    cases_events,
    cases_files,
    cases_lines,
    cases_merge,
    cases_messages,
    cases_meta,
    cases_names,
    cases_policy,
    cases_profile,
    cases_source,
    cases_tools,
)
from .cases_build import Case, case, meta, tokens, turn, user

CASES: tuple[Case, ...] = (
    case("base", "a plain rollout", meta(), turn(), user("hi there"), tokens(42)),
    *cases_source.CASES,
    *cases_policy.CASES,
    *cases_profile.CASES,
    *cases_meta.CASES,
    *cases_cwd.CASES,
    *cases_tools.CASES,
    *cases_messages.CASES,
    *cases_events.CASES,
    *cases_names.CASES,
    *cases_files.CASES,
    *cases_lines.CASES,
    *cases_merge.CASES,
)
