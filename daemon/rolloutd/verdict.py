"""What `rolloutd verify` prints: lines for people, one JSON document for programs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rolloutd.verify.findings import NOTES, Finding, Kind, Verdict
from rolloutd.verify.repair import Rebuilt, Verified
from rolloutd.wording import printable, size_text

_SHOWN = 10

_MEANING = {
    Kind.MISSING: "files without a row",
    Kind.STALE: "files that have changed since they were read",
    Kind.GONE: "rows without a file",
    Kind.PARSER: "rows of another parser, to be read again",
    Kind.CURSOR: "rows whose cursor does not fit the file",
    Kind.MISMATCHED: "rows that say other than the files do",
    Kind.STRAY: "threads that no file holds",
    Kind.NAMES: "names that are not those of the session index",
    Kind.HOME: "settings that are not those of the rows",
    Kind.STATE: "progress that is not that of the rows",
    Kind.DUPLICATE: (
        "threads in several files that do not continue each other: they are read in the order "
        "of their paths, the first gives the title, the last the rest"
    ),
    Kind.UNINDEXABLE: "files without a thread in them",
    Kind.UNREACHABLE: "what cannot be read now: rows of it are kept, and not compared",
}


def document(verified: Verified) -> dict[str, Any]:
    """`verify --json`: what was found, and with `--repair` what is left."""
    found, left = verified.found, verified.left
    return {
        "status": _status(verified),
        "deep": found.deep,
        "files": found.files,
        "threads": found.threads,
        "bytes": found.bytes,
        "seconds": round(found.seconds, 3),
        "drift": _counts(found),
        "findings": [_finding(each) for each in found.drift],
        "notes": [_finding(each) for each in (left or found).notes],
        "rebuilt": None
        if verified.rebuilt is None
        else {"problem": verified.rebuilt.problem, "moved_to": verified.rebuilt.moved_to},
        "repair": None
        if left is None
        else {
            "daemon": verified.daemon,
            "seconds": round(left.seconds, 3),
            "findings": [_finding(each) for each in left.drift],
        },
    }


def lines(verified: Verified) -> list[str]:
    """The same for people, with the first of each kind only."""
    found, left = verified.found, verified.left
    size = f", {size_text(found.bytes)} read" if found.bytes else ""
    told = [
        *_rebuilt(verified.rebuilt),
        (
            f"{_status(verified)}: {found.files} files and {found.threads} threads compared{size}, "
            f"in {found.seconds:.1f} s"
        ),
        *_told(found.drift),
    ]
    if left is not None:
        worker = f"the daemon, process {verified.daemon}," if verified.daemon else "rolloutd"
        told.append(
            f"{worker} has repaired all of this, compared again in {left.seconds:.1f} s"
            if verified.is_true
            else f"{worker} has repaired what could be; left is"
        )
        told.extend(_told(left.drift))
    elif found.drift:
        told.append("`rolloutd verify --repair` puts this right")
    return [*told, *_told((left or found).notes)]


def _status(verified: Verified) -> str:
    if not verified.is_true:
        return "drifted"
    return "true" if verified.left is None and verified.rebuilt is None else "repaired"


def _rebuilt(rebuilt: Rebuilt | None) -> Iterator[str]:
    if rebuilt is not None:
        moved = "" if rebuilt.moved_to is None else f", and moved to {rebuilt.moved_to}"
        yield printable(f"{rebuilt.problem}: built anew{moved}")


def _counts(verdict: Verdict) -> dict[str, int]:
    counts = Counter(each.kind for each in verdict.drift)
    return {str(kind): counts[kind] for kind in Kind if kind not in NOTES}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": str(finding.kind),
        "path": finding.path,
        "thread_id": finding.thread_id,
        "paths": list(finding.paths),
        "detail": finding.detail or None,
    }


def _told(findings: Sequence[Finding]) -> Iterator[str]:
    for kind in Kind:
        these = [each for each in findings if each.kind is kind]
        if these:
            yield f"{kind} ({len(these)}): {_MEANING[kind]}"
        for each in these[:_SHOWN]:
            subject = each.path or each.thread_id or ""
            detail = f": {each.detail}" if subject and each.detail else each.detail
            yield f"  {printable(subject + detail)}"
            if kind is Kind.DUPLICATE:
                yield from (f"    {printable(path)}" for path in each.paths)
        if len(these) > _SHOWN:
            yield f"  and {len(these) - _SHOWN} more (--json lists them all)"
