"""The workspace on disk: images, label levels, label arrays and their journals. Knows no learner and no widget."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
