"""What a person's time goes into: going to a place, looking, deciding, drawing. Numbers, no clocks."""

from __future__ import annotations

from voxloop.review.simulate import SECONDS_PER_STROKE, SECONDS_PER_TEN_VOXELS

#: to be taken to a place by a key and see what is there; to find one's way in another image
SECONDS_TO_LOOK = 2.0
SECONDS_TO_CHANGE_IMAGE = 2.0
#: strokes at a place: one inside what is wrong, one beyond its border
STROKES = 2


def seconds_at(length: float, *, other_image: bool = False) -> float:
    """Seconds of a person at a place with strokes of ``length`` voxels each."""
    drawing = STROKES * (SECONDS_PER_STROKE + SECONDS_PER_TEN_VOXELS * length / 10)
    return SECONDS_TO_LOOK + drawing + (SECONDS_TO_CHANGE_IMAGE if other_image else 0.0)
