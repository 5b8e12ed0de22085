"""The rollout format: finding files, reading lines, decoding items, folding them.

Knows nothing of databases, tasks or settings.
"""
