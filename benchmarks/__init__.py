"""What voxloop promises of speed, memory and accuracy, measured; ``make bench`` prints it as tables."""

import voxloop.deep  # noqa: F401  says how threads wait, before a benchmark imports torch by itself
