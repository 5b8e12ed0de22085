"""Samples out of the text of metrics, and those that a database calls for.

The latter are counted row by row, in Python: another way than that of the metrics.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

from prometheus_client.parser import text_string_to_metric_families

from tests.running import tables_of

# A name and its labels, sorted.
Series: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
Samples: TypeAlias = dict[Series, float]


def series(name: str, **labels: str) -> Series:
    return f"rolloutd_{name}", tuple(sorted(labels.items()))


def samples_of(text: str) -> Samples:
    """All of them; none may be there twice."""
    found = [
        ((sample.name, tuple(sorted(sample.labels.items()))), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    samples = dict(found)
    assert len(samples) == len(found)
    return samples


def called_for(database: Path) -> Samples:
    """What is not 0 of what the database calls for, as long as it holds few models."""
    tables = tables_of(database, ["rollouts", "threads", "backfill_state"])
    counts: Counter[Series] = Counter()
    for row in tables["rollouts"]:
        encoding, state = row["encoding"], "indexed" if row["error"] is None else "failed"
        counts[series("rollout_files", state=state, encoding=encoding)] += 1
        counts[series("rollout_bytes", encoding=encoding)] += row["size"] or 0
        for reason, lines in json.loads(row["summary"]).get("parse_errors", {}).items():
            counts[series("rollout_parse_errors", reason=reason)] += lines
    for row in tables["threads"]:
        archived = "true" if row["archived"] else "false"
        counts[series("threads", archived=archived, source=_source(row["source"]))] += 1
        counts[series("thread_tokens", model=row["model"] or "unknown")] += row["tokens_used"]
    [backfill] = tables["backfill_state"]
    counts[series("backfill_state", state=backfill["status"])] = 1
    counts[series("backfill_files")] = backfill["total"]
    counts[series("backfill_remaining_files")] = backfill["total"] - backfill["scanned"]
    return {each: value for each, value in counts.items() if value}


def content_of(samples: Samples) -> Samples:
    """What is not 0 of the samples that the database calls for."""
    names = {"rollout_files", "rollout_bytes", "rollout_parse_errors", "threads", "thread_tokens"}
    names |= {"backfill_state", "backfill_files", "backfill_remaining_files"}
    return {
        each: value
        for each, value in samples.items()
        if value and each[0].removeprefix("rolloutd_") in names
    }


def _source(text: str) -> Any:
    return next(iter(json.loads(text))) if text.startswith("{") else text
