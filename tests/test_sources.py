"""Labels and classes of sources."""

import pytest

from rolloutd.sources import CLASSES, LABELS, beginning_of, class_of, is_word, label_of


@pytest.mark.parametrize(
    ("source", "label", "name"),
    [
        ("cli", "cli", "user"),
        ("vscode", "vscode", "user"),
        ("unknown", "unknown", "user"),
        ("", "unknown", "user"),
        ("exec", "exec", "exec"),
        ("mcp", "mcp", "mcp"),
        ('{"custom":"my-app"}', "custom", "user"),
        ('{"custom":"exec"}', "custom", "user"),
        ('{"subagent":"review"}', "subagent", "subagent"),
        ('{"subagent":{"thread_spawn":{"parent_thread_id":"x"}}}', "subagent", "subagent"),
        ('{"internal":"memory_consolidation"}', "internal", "internal"),
        ('{"novel":1}', "unknown", "user"),
        ('{"subagents":1}', "unknown", "user"),
        ("custom", "unknown", "user"),
    ],
)
def test_what_started_a_thread(source: str, label: str, name: str) -> None:
    assert label_of(source) == label
    assert class_of(source) == name


def test_every_label_has_one_class() -> None:
    assert sorted(label for labels in CLASSES.values() for label in labels) == sorted(LABELS)


def test_a_label_is_found_in_what_it_stands_for() -> None:
    for label in LABELS:
        if is_word(label):
            assert label_of(label) == label
        elif label != "unknown":
            assert label_of(beginning_of(label) + ":1}") == label
