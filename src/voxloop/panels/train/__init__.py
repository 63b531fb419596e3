"""Settings of a training, what they will take and what they will see, and the start."""
