"""What a training wants and how it is judged: losses, targets of objects, metrics, optimisers."""
