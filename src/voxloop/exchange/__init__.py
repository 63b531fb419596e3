"""Models from and for other people: bioimage.io, Hugging Face, any address. Nothing is fetched but what is asked for.

Each name loads on first use.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "pulled": ["Pulled"],
        "pulling": ["pull"],
        "pushing": ["Pushed", "push"],
    },
)
