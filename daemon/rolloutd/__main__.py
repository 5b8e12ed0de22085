"""Where the program begins: the console script, and `python -m rolloutd`."""

import gc
import sys

from rolloutd.signals import end_at_once, end_well_at_once


def main() -> None:
    """Run the command line."""
    # The rest of the program takes a while to import, and may be stopped meanwhile.
    if sys.argv[1:2] == ["run"]:
        end_well_at_once()
    else:
        end_at_once()
    # Imports make much that stays and no garbage: looking for some takes a tenth of their time.
    gc.disable()
    from rolloutd.early import begin_early
    from rolloutd.streams import prepare_streams

    prepare_streams()
    early = begin_early(sys.argv[1:])
    if early is None:
        from rolloutd.cli import main as command_line

        command_line()
    else:
        from rolloutd.commands.once import backfill_early

        with early.pool:
            backfill_early(early)


if __name__ == "__main__":
    main()
