"""What many numbers come to."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from statistics import median


def percentile(values: Sequence[float], part: float) -> float:
    """Return the smallest value that at least `part` (0 to 1) of them do not exceed."""
    return sorted(values)[max(0, ceil(part * len(values)) - 1)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return how much y grows with x, by least squares; 0 of fewer than two points."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    square = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / square if square else 0.0


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, 99th percentile and most of some values, for the report's document."""
    return {
        "count": len(values),
        "p50": median(values),
        "p99": percentile(values, 0.99),
        "most": max(values),
    }
