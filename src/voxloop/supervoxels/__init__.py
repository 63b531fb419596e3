"""Supervoxels: small compact pieces of alike intensity, the same however a volume is cut. Knows no labels, no learner.

``cells.py`` is the grid in which seeds start, ``slic.py`` how they move and who belongs to them; both are pure.
"""
