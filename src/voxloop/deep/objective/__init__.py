"""What a training minimises and how it is scored: losses, targets of objects, metrics, optimisers."""
