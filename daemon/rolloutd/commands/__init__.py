"""The commands: each reads the settings, calls what does the work, and prints."""
