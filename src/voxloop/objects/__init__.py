"""From class probabilities to objects: labelling by the block, cutting, measuring. Numpy; knows no model and no run."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
