"""`rolloutd backfill`, once it is known what is asked for."""

from typing import TYPE_CHECKING, NoReturn

from rolloutd.commands.ending import exit_codes
from rolloutd.commands.output import leave, print_document, print_lines
from rolloutd.logs import configure_logging
from rolloutd.signals import interrupt_again

if TYPE_CHECKING:
    from rolloutd.early import Early
    from rolloutd.quick_settings import QuickSettings
    from rolloutd.rollout.pool import ReaderPool
    from rolloutd.settings import Settings


def backfill_early(early: "Early") -> NoReturn:
    """What was begun before anything else."""
    with exit_codes():
        settings = early.settings
        configure_logging(settings.log_level, settings.log_format)
        interrupt_again()
        backfill_once(settings, rebuild=early.rebuild, as_json=early.as_json, pool=early.pool)


def backfill_once(
    settings: "QuickSettings | Settings",
    *,
    rebuild: bool,
    as_json: bool,
    pool: "ReaderPool | None" = None,
) -> NoReturn:
    """Index, and say what was done; by these readers, if there are some."""
    from rolloutd.supervisor import run_backfill

    result = run_backfill(settings, rebuild=rebuild, early=pool)
    from rolloutd import report

    if as_json:
        print_document(report.backfill_document(result))
    else:
        print_lines(report.backfill_lines(result))
    leave()
