"""Which labelled pictures are held out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T", bound=Any)
#: held-out pictures lie in at most so many runs of neighbours
_RUNS = 4


def hold_out(pictures: Sequence[T], share: float, seed: int) -> tuple[list[T], list[T]]:
    """Pictures that teach, and those that judge: some runs of neighbours, since neighbouring frames look alike.

    At least one is held out where there are two and ``share`` is above 0. Those that judge hold something.
    """
    known = [index for index, picture in enumerate(pictures) if len(picture.places)]
    if share <= 0 or len(known) < 2:
        return list(pictures), []
    wanted = min(max(1, round(share * len(pictures))), len(known) - 1)
    rng = np.random.default_rng((seed, 11))
    length = -(-wanted // _RUNS)
    starts = np.arange(0, len(known), length)
    held: set[int] = set()
    for start in rng.permutation(starts):
        for index in known[start : start + length]:
            if len(held) < wanted:
                held.add(index)
    teach = [picture for index, picture in enumerate(pictures) if index not in held]
    return teach, [pictures[index] for index in sorted(held)]
