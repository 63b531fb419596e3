"""How many optimiser steps a network needs to learn anything, and what is said where fewer fit into its time. Pure."""

from __future__ import annotations

#: steps from random weights below which a network has learned next to nothing: on stacks where the pixel classifier
#: reached an IoU of 0.5 to 0.8, some 25 steps gave 0.1 to 0.2, and 150 to 200 steps 0.3 to 0.6
ENOUGH_STEPS = 150
#: cost of a window where nothing is learned from it, as a share of one in training
FORWARD = 0.35


def few_steps(steps: int, minutes: float, step_s: float, other_s: float) -> str:
    """That so few steps fit into so many minutes, and how many minutes would do; no full stop at its end."""
    longer = minutes_for(2 * ENOUGH_STEPS, step_s, other_s)
    return (
        f"about {steps} steps fit into {minutes:g} minutes here, too few for a network to learn ({ENOUGH_STEPS} at "
        f"least): expect the pixel classifier to be kept, or give it {longer:g} minutes"
    )


def minutes_for(steps: int, step_s: float, other_s: float) -> float:
    """Whole minutes that so many steps take, and ``other_s`` seconds of all else."""
    return float(max(1, -(-(steps * step_s + other_s) // 60)))
