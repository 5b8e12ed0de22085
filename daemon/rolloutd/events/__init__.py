"""File events, from watches on all in which there may be rollouts."""
