"""Real Codex releases as a judge: they write rollouts, and say what they make of them.

``releases`` installs them, ``mock_responses`` is the model they talk to, ``driver`` has them write
a home, ``codex_index`` has them index one. Nothing here ever leaves the loopback interface, except
for npm when a release is not in the cache yet.
"""
