"""How a command ends: errors become exit codes, those of `rolloutd.errors`."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rolloutd.commands.output import PIPE_CLOSED, fail, told
from rolloutd.errors import RolloutdError

# What a shell tells of a program that Ctrl-C has ended.
_INTERRUPTED = 130


@contextmanager
def exit_codes(*, prints: bool = False) -> Iterator[None]:
    """Meanwhile a command is run; `prints` says that it does so by others than `print_lines`."""
    try:
        yield
    except RolloutdError as error:
        fail(str(error), error.exit_code)
    except OSError:
        if not prints:
            raise
        with told():
            raise
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except SystemExit as exiting:
        # Typer and rich call it a failure.
        if isinstance(exiting.__context__, BrokenPipeError):
            sys.exit(PIPE_CLOSED)
        raise
    finally:
        # There is no garbage in what a command has imported, when the interpreter looks once more.
        gc.freeze()
