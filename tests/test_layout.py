"""The arrows of the design, held by reading every module."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import rolloutd
from tests.running import Place

PACKAGE = Path(rolloutd.__file__).parent

# From the floor up; a module imports from lower floors only, or from its own package.
FLOORS = (
    (
        "rolloutd",
        "rolloutd.records",
        "rolloutd.errors",
        "rolloutd.resources",
        "rolloutd.sources",
        "rolloutd.wording",
        "rolloutd.readiness",
        "rolloutd.meter",
        "rolloutd.signals",
        "rolloutd.streams",
        "rolloutd.stamp",
        "rolloutd.writing",
    ),
    ("rolloutd.rollout", "rolloutd.state"),
    ("rolloutd.indexer",),
    (
        "rolloutd.batches",
        "rolloutd.hints",
        "rolloutd.filesystems",
        "rolloutd.instance",
        "rolloutd.events",
        "rolloutd.staleness",
    ),
    ("rolloutd.upkeep", "rolloutd.sight", "rolloutd.agreement"),
    ("rolloutd.home_discovery",),
    ("rolloutd.refresh", "rolloutd.watch", "rolloutd.drift", "rolloutd.telling"),
    ("rolloutd.reconcile", "rolloutd.lag", "rolloutd.presence", "rolloutd.strangers"),
    ("rolloutd.follow", "rolloutd.scratch", "rolloutd.search"),
    ("rolloutd.steady", "rolloutd.moved"),
    (
        "rolloutd.backfill",
        "rolloutd.listing",
        "rolloutd.lookup",
        "rolloutd.moments",
        "rolloutd.systemd",
    ),
    ("rolloutd.mending", "rolloutd.monitor", "rolloutd.verify"),
    ("rolloutd.places", "rolloutd.table", "rolloutd.terminal"),
    ("rolloutd.quick_settings",),
    ("rolloutd.early",),
    (
        "rolloutd.settings",
        "rolloutd.logs",
        "rolloutd.logs_apart",
        "rolloutd.report",
        "rolloutd.thread_report",
        "rolloutd.thread_table",
        "rolloutd.progress",
    ),
    ("rolloutd.progress_bar", "rolloutd.condition", "rolloutd.verdict"),
    ("rolloutd.metrics",),
    ("rolloutd.endpoint",),
    ("rolloutd.supervisor", "rolloutd.daemon"),
    ("rolloutd.commands",),
    ("rolloutd.cli",),
    ("rolloutd.__main__",),
)
EXCEPTIONS = {("rolloutd.progress", "rolloutd.progress_bar")}  # the bar, only on a terminal


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports_of(module: str) -> Iterator[str]:
    """Full names of what a module imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module


def own_imports(module: str) -> set[str]:
    return {name for name in imports_of(module) if name.split(".")[0] == "rolloutd"}


def floor_of(module: str) -> int:
    for number, names in enumerate(FLOORS):
        if module in names or any(
            module.startswith(name + ".") for name in names if name != "rolloutd"
        ):
            return number
    pytest.fail(f"{module} stands on no floor: say in FLOORS where it belongs")


def package_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down(module: str) -> None:
    for imported in own_imports(module) - {module}:
        if package_of(imported) == package_of(module) or (module, imported) in EXCEPTIONS:
            continue
        assert floor_of(imported) < floor_of(module), f"{module} imports {imported}"


@pytest.mark.parametrize(
    ("package", "foreign"),
    [
        ("rollout", {"rolloutd.state", "rolloutd.settings", "sqlalchemy", "sqlite3", "anyio"}),
        ("rollout", {"pydantic", "pydantic_settings", "typer", "rich", "alembic"}),
        ("state", {"rolloutd.rollout", "rolloutd.settings", "anyio", "zstandard"}),
        ("indexer", {"rolloutd.settings", "anyio", "typer"}),
        ("backfill", {"rolloutd.settings", "rolloutd.cli", "rolloutd.supervisor"}),
    ],
)
def test_what_a_part_does_not_know(package: str, foreign: set[str]) -> None:
    members = [module for module in MODULES if package_of(module) == f"rolloutd.{package}"]
    assert members
    for module in members:
        for imported in imports_of(module):
            assert imported.split(".")[0] not in foreign, f"{module} imports {imported}"
            assert package_of(imported) not in foreign, f"{module} imports {imported}"


def test_only_the_indexer_knows_both_format_and_database() -> None:
    below = {"rolloutd.rollout", "rolloutd.state"}
    for module in MODULES:
        if floor_of(module) < floor_of("rolloutd.indexer"):
            known = {package_of(imported) for imported in own_imports(module)} & below
            assert len(known | ({package_of(module)} & below)) <= 1, module


def test_the_environment_is_read_in_one_place() -> None:
    # logs: whether the journal listens; terminal: whether there are to be colours.
    names = ("settings", "quick_settings", "places", "logs", "terminal")
    allowed = {f"rolloutd.{name}" for name in names}
    for module, path in MODULES.items():
        if module not in allowed:
            text = path.read_text()
            assert "os.environ" not in text, module
            assert "getenv" not in text, module


def test_no_import_cycles() -> None:
    graph = {module: own_imports(module) - {module, "rolloutd"} for module in MODULES}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_a_reader_process_imports_the_format_only() -> None:
    code = (
        "import sys\n"
        "from rolloutd.rollout.worker import import_serving\n"
        "import_serving()()\n"
        "heavy = set(sys.argv[1:])\n"
        "there = sorted({name.split('.')[0] for name in sys.modules} & heavy)\n"
        "print(there, 'rolloutd.rollout.reading' in sys.modules, file=sys.stderr)\n"
    )
    heavy = ["sqlalchemy", "alembic", "pydantic", "pydantic_settings", "rich", "typer", "anyio"]
    ended = subprocess.run(
        [sys.executable, "-c", code, *heavy, "sqlite3", "asyncio", "inspect", "ast"],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert ended.stderr.decode().strip() == "[] True"


def test_nothing_heavy_is_imported_where_there_is_nothing_to_migrate(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    for state in ("fresh", "current"):
        done = place.run("backfill", PYTHONPROFILEIMPORTTIME="1")
        assert done.code == 0, done
        imported = {
            line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()
        }
        assert "sqlite3" in imported, state
        assert not imported & {"sqlalchemy", "alembic", "rich", "typer"}, state
