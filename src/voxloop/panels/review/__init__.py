"""Accepting, correcting where the model is unsure, and whether it gets better."""
