"""Points, boxes and classes of pictures: what is said of places instead of voxels. Knows no widget and no learner.

All three are *instances* in one table (``table.py``): a point has the nodes of the level's skeleton, a box two corners,
a picture none. The journal (``mark_journal.py``) is the truth: one line an edit, synced before it is acknowledged; the
table beside it (``table_file.py``) is a cache from which a workspace opens fast. ``state.py`` puts them together;
``mark_labels.py`` is what users hold, ``point_labels.py``, ``box_labels.py`` and ``picture_labels.py`` its three kinds.
"""
