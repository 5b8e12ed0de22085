"""Files that belong to the program but are not Python: migrations, the unit, deployment."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource(name: str) -> Path:
    """Where the folder `name` lies: inside an installed wheel, or at the top of a checkout."""
    bundled = _PACKAGE / "_bundled" / name
    return bundled if bundled.exists() else _PACKAGE.parent.parent / name
