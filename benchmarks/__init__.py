"""What voxloop promises of speed, memory and accuracy, measured; ``make bench`` prints it as tables."""
