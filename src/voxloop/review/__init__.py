"""Judging a segmentation and choosing what to do next: scores, suggestions, accepting, the simulated annotator.

Streams over chunks; knows no widgets and no learner. Names load on first use.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
