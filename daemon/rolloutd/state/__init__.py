"""The database: schema, opening and migrating, rows, the lease.

Knows nothing of the rollout format.
"""
