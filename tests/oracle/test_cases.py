"""Every case, in one home, before both judges."""

from __future__ import annotations

from pathlib import Path

import pytest

from .cases import CASES
from .cases_build import thread_id, write_home
from .compare import judge
from .differences import DIFFERENCES
from .verdict import Verdict

OF_CASES = tuple(each for each in DIFFERENCES if "/" not in each.name)

NAMES = {
    thread_id(case.name, which): case.name + ending
    for case in CASES
    for which, ending in (("id", ""), ("other", "/other"), ("third", "/third"))
}


@pytest.mark.usefixtures("judges")
def test_every_column_of_every_case_is_codex_own_or_in_the_table(tmp_path: Path) -> None:
    write_home(tmp_path / "home", CASES)
    verdict = Verdict(DIFFERENCES)
    verdict.look_at(judge(tmp_path / "home", tmp_path), lambda id_: NAMES.get(id_, id_), "openai")
    verdict.check_needed(OF_CASES)
    assert verdict.compared > 900
    assert not verdict.problems, verdict.report()


def test_names_of_cases_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
