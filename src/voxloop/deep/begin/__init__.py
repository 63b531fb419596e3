"""What is settled, measured and shown before the first step of a training."""
