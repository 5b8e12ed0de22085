"""systemd: what the daemon tells its service manager, and its installation as a user's service."""
