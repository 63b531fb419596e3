"""Choosing a stack, with its voxel size and what was found in it."""
