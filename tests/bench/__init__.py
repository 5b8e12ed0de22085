"""Time and memory of a backfill, beside the real Codex and beside plain reading of the bytes."""
