"""Learning rate by step. Pure."""

from __future__ import annotations

import math

#: share of the highest rate at the end of a falling schedule
FLOOR = 0.01


def factor(kind: str, step: int, total: int, warmup: int) -> float:
    """What the highest learning rate is multiplied with at ``step`` of ``total``.

    ``plateau`` and ``constant`` are 1 after the warm-up: the plateau rule acts through the learning rate itself.
    """
    if kind == "one-cycle":
        return _one_cycle(step / max(total, 1))
    if step < warmup:
        return (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, total - warmup))
    match kind:
        case "cosine":
            return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * share))
        case "polynomial":
            return max(FLOOR, float((1 - share) ** 0.9))
        case "step":
            return float(0.5 ** int(4 * share))
        case _:
            return 1.0


def _one_cycle(share: float) -> float:
    """Up in the first 30 %, down to 1/100 after (Smith 2018)."""
    share = min(1.0, share)
    low, high = (0.04, share / 0.3) if share < 0.3 else (FLOOR, 1 - (share - 0.3) / 0.7)
    return low + (1 - low) * 0.5 * (1 - math.cos(math.pi * high))
