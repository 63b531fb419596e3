"""Supervoxels: small compact pieces of alike intensity, the same however a volume is cut. Knows no learner.

``cells.py`` is the grid in which seeds start, ``slic.py`` how they move and who belongs to them; both are pure.
``seed_tiles.py`` keeps the seeds of an image, a thousandth of its voxels; ``partition.py`` says from these which
supervoxel any voxel belongs to; ``opening.py`` finds image, channel and folder in a workspace.
"""
