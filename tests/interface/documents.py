"""What stands in the documentation, taken out of its Markdown."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMA_PAGE = ROOT / "migrations" / "README.md"
README = ROOT / "README.md"

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CELLS = re.compile(r"^\| `(\w+)` \| (\w+)(\??) \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Example:
    """A block of code; `title` is the line of text before it, or the heading."""

    language: str
    text: str
    title: str


def examples(page: Path, language: str) -> list[Example]:
    """The fenced blocks of a language, in their order."""
    text = page.read_text()
    found = []
    for match in _FENCED.finditer(text):
        before = text[: match.start()].strip().splitlines()
        if match[1] == language:
            found.append(Example(language, match[2], before[-1].rstrip(":")))
    return found


def indented(page: Path) -> list[list[str]]:
    """Blocks that are indented by four spaces, line by line."""
    blocks: list[list[str]] = [[]]
    for line in page.read_text().splitlines():
        if line.startswith("    "):
            blocks[-1].append(line[4:])
        elif line.strip() or not blocks[-1]:
            blocks.append([])
        else:
            blocks[-1].append("")
    return [block for block in blocks if any(block)]


def sections(page: Path, depth: int) -> dict[str, str]:
    """The text below each heading of that depth, up to the next one of it or above."""
    marks = re.compile(rf"^(#{{1,{depth}}}) (.+)$", re.MULTILINE)
    text = page.read_text()
    found = list(marks.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {
        match[2]: text[match.end() : end]
        for match, end in zip(found, ends, strict=True)
        if len(match[1]) == depth
    }


def columns(text: str) -> dict[str, tuple[str, bool]]:
    """Type and whether it may be NULL, of each column that a section tells of."""
    return {name: (kind, bool(mark)) for name, kind, mark, _ in _CELLS.findall(text)}
