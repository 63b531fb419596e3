"""Objects made of a prediction: preview, list, surfaces."""
