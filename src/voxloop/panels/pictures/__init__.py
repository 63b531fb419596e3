"""Many pictures in a grid: what is said of them, training sets of a selection, tiles, folders. Computes nothing."""
