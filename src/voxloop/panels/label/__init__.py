"""Painting classes, and the overlay that follows the strokes."""
