"""The workspace on disk: images, label levels, label arrays and their journals. Knows no learner and no widget.

Every verb of :class:`Labels` comes down to ``edit``: new values are proposed block by block, written into the journal
and synced, then made in memory; the array follows within a second. A large edit (8 million voxels) goes through a
zarr blob beside the journal. An edit that changes nothing makes no record. Pieces of one stroke are joined, and
undone as one. Locked classes and what lies outside of the parent are left alone by every verb but undo. A change of
the array by another program is noticed when the workspace is opened for writing, and becomes a record (``tool ==
"foreign"``).

A reader in another process sees acknowledged edits at once, because it reads the journal, not only the array; ``at=``
rebuilds the labels after that edit, whatever has been written since. ``writer.py`` and ``reader.py`` are the two
kinds of ``state.py``; ``journal.py``, ``chunks.py`` and ``touched.py`` are the files; ``strokes.py``, ``shapes.py``,
``planes.py`` and ``patches.py`` are pure. ``layout.py`` alone knows where things lie in a workspace. Removed levels
and images go to ``removed/``; a renamed level keeps its folder, and its old name still finds it.

A training set is rows of (image, level, region), every version of which is kept (``sets.py``). ``teaching.freeze``
says as JSON what a run learns from: labels at which edit, the rows of its set, its validation set, the class of
another level that it is confined to. ``teaching.open_portions`` opens that; both learners, their previews and
confined predictions come there.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
