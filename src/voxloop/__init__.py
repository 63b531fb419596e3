"""Label, train, predict and correct image volumes inside JupyterLab, until the segmentation is right.

Public names are listed in ``__init__.pyi`` and load on first use, so that importing costs next to nothing.
"""

import lazy_loader as _lazy

__version__ = "0.2.0"
_load, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """A public name. Where a package that it needs is not installed, the sentence names the extra that brings it."""
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        from voxloop.errors import MissingPackageError
        from voxloop.extras import extra_of, install_line

        if error.name is None or extra_of(error.name) is None:
            raise
        raise MissingPackageError(f"vl.{name} needs {error.name}: {install_line(error.name)}") from None
