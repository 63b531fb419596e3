"""Who did what, the labels of one author over the picture, and copies taken in: folds for a panel with a picture."""
