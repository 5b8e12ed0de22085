"""A reader process: `python -m rolloutd.rollout.worker HOME LINE_LIMIT`.

It imports the format only, so that it starts in some hundredths of a second and stays small.
"""

import sys


def main() -> None:
    """Do what `serving` says."""
    # msgspec does without this one, with which comes half of Python's compiler: a quarter of the
    # start, and a tenth of the memory.
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    from rolloutd.rollout.serving import main as serve

    serve()


if __name__ == "__main__":
    main()
