"""`rolloutd show` and `rolloutd path`: one thread."""

from typing import TYPE_CHECKING, Annotated

import typer

from rolloutd.commands.completion import complete_thread
from rolloutd.commands.options import CodexHome, Database, FromFiles, Json, ModelProvider
from rolloutd.commands.output import fail, print_document, print_lines, print_path
from rolloutd.places import user_folder

if TYPE_CHECKING:
    from rolloutd.commands.inquiry import Inquiry

Thread = Annotated[
    str,
    typer.Argument(
        help="Its id, the beginning of that (4 digits or more), its name, or its whole title.",
        autocompletion=complete_thread,
    ),
]
Archived = Annotated[bool, typer.Option("--archived", help="An archived thread only.")]
Active = Annotated[bool, typer.Option("--active", help="An active thread only.")]


def path(
    thread: Thread,
    *,
    archived: Archived = False,
    active: Active = False,
    from_files: FromFiles = False,
    codex_home: CodexHome = None,
    database: Database = None,
    model_provider: ModelProvider = None,
) -> None:
    """Print the path of a thread's rollout, once that file itself has said whose it is.

    Of a thread in several files, it is the last.

    Exit codes: 0 done; 1 there is no such thread, it is not clear which one is meant, or its file
    cannot be verified now (and nothing is printed); 69 no home; 74 the database cannot be read;
    78 configuration.

    \b
    Examples:
      tail -n 1 "$(rolloutd path 0199a213)"
      cp "$(rolloutd path 'fix the login')" .
    """  # noqa: D301
    overrides = {"codex_home": codex_home, "database": database, "model_provider": model_provider}
    inquiry = _inquiry(thread, overrides, archived=archived, active=active, from_files=from_files)
    try:
        found = inquiry.find()
        if found.problem is not None:
            fail(f"{found.path} cannot be verified: {found.problem}")
        print_path(found.path)
    finally:
        inquiry.mend()


def show(
    thread: Thread,
    *,
    archived: Archived = False,
    active: Active = False,
    as_json: Json = False,
    from_files: FromFiles = False,
    codex_home: CodexHome = None,
    database: Database = None,
    model_provider: ModelProvider = None,
) -> None:
    """Show everything that is known of a thread: its row, its files, its parent and children.

    Exit codes: 0 done; 1 there is no such thread, or it is not clear which one is meant; 69 no
    home; 74 the database cannot be read; 78 configuration.

    \b
    Examples:
      rolloutd show 0199a213
      rolloutd show "fix the login" --json
    """  # noqa: D301
    overrides = {"codex_home": codex_home, "database": database, "model_provider": model_provider}
    inquiry = _inquiry(thread, overrides, archived=archived, active=active, from_files=from_files)
    if as_json:
        print_document(inquiry.describe())
    else:
        print_lines(inquiry.lines(user_folder()))


def _inquiry(
    thread: str,
    overrides: dict[str, str | None],
    *,
    archived: bool,
    active: bool,
    from_files: bool,
) -> "Inquiry":
    # A list does without the format, which takes as long to import as it takes to print.
    from rolloutd.commands.index import Index
    from rolloutd.commands.inquiry import Inquiry

    state = None if archived == active else archived
    return Inquiry(Index(overrides, from_files=from_files), thread, archived=state)
