"""Where the program begins: the console script, and `python -m rolloutd`."""

import sys

from rolloutd.signals import end_at_once, end_well_at_once


def main() -> None:
    """Run the command line."""
    # The rest of the program takes a while to import, and may be stopped meanwhile.
    if sys.argv[1:2] == ["run"]:
        end_well_at_once()
    else:
        end_at_once()
    from rolloutd.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
