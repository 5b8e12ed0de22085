"""`make demo`: rolloutd at work on sessions that are played, for who has none of their own."""
