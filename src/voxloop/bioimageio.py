"""Networks from and for other programs, as packages of bioimage.io. Each name loads on first use.

Examples
--------
A package of somebody else is needed:

>>> model = vl.bioimageio.import_package("unet.zip", "models/unet")  # doctest: +SKIP
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    "voxloop",
    submod_attrs={
        "deep.exchange.package": ["Package", "export_package"],
        "deep.exchange.foreign": ["import_package"],
    },
)
