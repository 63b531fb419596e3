"""Label, train, predict and correct image volumes inside JupyterLab, until the segmentation is right.

Public names are listed in ``__init__.pyi`` and load on first use, so that importing costs next to nothing.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
