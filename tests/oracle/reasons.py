"""What an entry of the table of `differences` is, and the reasons there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from .compare import Row

LISTED = "listed"
"""Not a column: None if there is no row, else what the row says beyond the defaults."""

Derived: TypeAlias = Callable[[Row, Any], Any]


class Why(StrEnum):
    """Reasons; those of rollouts.md's table "deliberately better" in its order."""

    UTF8 = "better: one line with invalid UTF-8 costs that line"
    BOM = "better: a byte order mark is ignored"
    BEFORE_2020 = "better: times before 2020 are right"
    LEGACY = "better: rollouts of 0.20 to 0.28 are listed"
    FIRST_FILE = "better: a thread in several files is named after its first"
    UNKNOWN_VALUE = "better: unknown values of newer releases are kept"
    MODE = "better: sandbox_policy spelt as mode is read"
    EQUAL_MTIMES = "better: equal mtimes are as on disk"

    USER_EVENT = "column: has_user_event is 1 once there is a user message; Codex never sets it"
    NAME = "column: name and title follow thread_name_updated and session_index.jsonl"
    LEXICAL_CWD = "column: cwd is normalised lexically; Codex asks the file system"
    LAST_FILE = "column: several files: what is not from the first file is from the last"
    PREVIEW = "column: preview is the first user message or a goal, nothing made up"
    UNKNOWN_TYPE = "column: an unknown type is no error, so the file has a thread"

    POLICY_WORDS = "decided: sandbox_policy is told in 0.130.0's words wherever a turn has them"
    NESTED_TOOLS = "decided: dynamic tools in namespaces are listed flat"
    UNREAD = "decided: a value that we do not read does not cost the line"
    NEWER_REFUSES = "decided: a line that 0.130.0 reads is read, for 0.169.0's own columns too"
    DEEP = "decided: JSON nested deeper than 127 levels is read"
    SEQUENCES = "decided: a JSON list is no struct, though Codex's decoder takes it for one"


@dataclass(frozen=True, eq=False)
class Difference:
    """One entry: in threads of this name, this column has this value."""

    name: str
    column: str
    value: Any | Derived
    why: Why

    def matches(self, name: str, column: str) -> bool:
        """Whether this entry is about that column of that thread."""
        return self.column == column and fnmatchcase(name, self.name)

    def value_for(self, row: Row | None, wanted: Any) -> Any:
        """What rolloutd should have."""
        return self.value(row or {}, wanted) if callable(self.value) else self.value


def differ(why: Why, names: str, values: Mapping[str, Any]) -> Iterator[Difference]:
    """Entries for each of the names (separated by '|'), for each of the columns."""
    for name in names.split("|"):
        for column, value in values.items():
            yield Difference(name, column, value, why)
