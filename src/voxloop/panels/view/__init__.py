"""The picture: planes of a volume with layers above it, strokes as they come. Knows no workspace."""
