"""The loop: steps, checkpoints, validation, what a run keeps."""
