"""rolloutd keeps a SQLite index of every thread that the Codex CLI recorded on this machine."""

__version__ = "0.1.0"
