"""What a network that tells objects apart says of each voxel, in the order of its channels. Knows no torch."""

from __future__ import annotations

from voxloop.model import ClassInfo

#: of one that learns boundaries and distances
CHANNELS = (
    ClassInfo(value=1, name="foreground", color="#e69f00"),
    ClassInfo(value=2, name="boundary", color="#cc79a7"),
    ClassInfo(value=3, name="distance", color="#009e73"),
)
#: of one that learns where the middle of each object is
ARROWS = (
    ClassInfo(value=1, name="foreground", color="#e69f00"),
    ClassInfo(value=2, name="arrow z", color="#0072b2"),
    ClassInfo(value=3, name="arrow y", color="#cc79a7"),
    ClassInfo(value=4, name="arrow x", color="#009e73"),
)
