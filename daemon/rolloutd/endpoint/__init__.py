"""The HTTP endpoint: for this machine, small, and made so that no client can hurt the indexing."""
