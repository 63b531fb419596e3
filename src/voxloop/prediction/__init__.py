"""Whole volumes through a model: exact tiles, bounded memory, resumable output. Numpy and dask; knows no learner."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
