"""Points and boxes from and for other programs: SLEAP, DeepLabCut, COCO, NWB, Label Studio, tables.

``given.py`` is what a file says, in our words; a module a format reads or writes that; ``fitting.py`` brings it to the
level and the image, or asks. Coordinates of others are (x, y) with pixel centres at integers; boxes of COCO are pixel
edges.
"""

from voxloop.store.points.files.reading import Loading, load
from voxloop.store.points.files.writing import save

__all__ = ["Loading", "load", "save"]
