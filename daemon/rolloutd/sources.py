"""What started a thread: the few kinds that there are of `threads.source`.

Each source has a label, one of eight; labels make classes, by who was at work: a person, or which
kind of program.
"""

LABELS = ("cli", "vscode", "exec", "mcp", "subagent", "custom", "internal", "unknown")

# What newer releases may add is shown rather than hidden: unknown sources count as a person's.
CLASSES = {
    "user": ("cli", "vscode", "custom", "unknown"),
    "exec": ("exec",),
    "mcp": ("mcp",),
    "subagent": ("subagent",),
    "internal": ("internal",),
}

_WORDS = frozenset({"cli", "vscode", "exec", "mcp"})
_OBJECTS = ("subagent", "custom", "internal")
_CLASS_OF = {label: name for name, labels in CLASSES.items() for label in labels}


def label_of(source: str) -> str:
    """The label of a source, a word or an object as compact JSON with its kind as only key."""
    if source in _WORDS:
        return source
    return next((kind for kind in _OBJECTS if source.startswith(beginning_of(kind))), "unknown")


def beginning_of(kind: str) -> str:
    """How every source of a kind that carries data begins."""
    return f'{{"{kind}"'


def class_of(source: str) -> str:
    """`threads.source_class`: user, exec, mcp, subagent or internal."""
    return _CLASS_OF[label_of(source)]


def is_word(label: str) -> bool:
    """Whether the sources of this label are one word; the others carry data, or are unknown."""
    return label in _WORDS
