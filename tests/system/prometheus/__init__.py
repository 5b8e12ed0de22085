"""A real Prometheus, and what `deploy/` ships for it and for Grafana.

Needs Debian's package `prometheus`, with `promtool` in it.
"""
