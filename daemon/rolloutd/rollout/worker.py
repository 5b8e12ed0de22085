"""A reader process: `python -m rolloutd.rollout.worker`.

It imports the format only, so that it starts in some hundredths of a second and stays small.
"""

import sys
from collections.abc import Callable


def import_serving() -> Callable[[], None]:
    """Import what a reader needs; returns what it does, see `serving.serve`."""
    # msgspec does without this one, with which comes half of Python's compiler: a quarter of the
    # start, and a tenth of the memory.
    is_new = "typing_extensions" not in sys.modules
    if is_new:
        sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        from rolloutd.rollout.serving import serve
    finally:
        if is_new:
            del sys.modules["typing_extensions"]
    return serve


if __name__ == "__main__":
    import_serving()()
