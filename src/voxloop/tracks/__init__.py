"""Who is who over time: places of frames in, tracks out, with who came out of whom. Links nothing while it is imported.

``task.py`` is the task of a run; ``places.py`` is what all methods start from, ``lap.py`` and ``following.py`` are the
methods, ``chains.py`` makes tracks of their links, ``result.py`` is what users hold.
"""

from voxloop.tracks.result import Tracks

__all__ = ["Tracks"]
