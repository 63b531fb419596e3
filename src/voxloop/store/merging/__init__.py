"""Two copies of one label array brought together: where they parted (``base.py``), what each did since.

Of voxels (``voxels.py``) and of points, boxes and pictures (``marked.py``). Neither opens a workspace.
"""
