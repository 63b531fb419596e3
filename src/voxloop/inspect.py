"""Looks into a training before it begins: what the network gets, what it sees, what it will take. Trains nothing.

Each name loads on first use.

Examples
--------
>>> memory = vl.inspect.machine().memory_gb
>>> memory > 0
True
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    "voxloop",
    submod_attrs={
        "deep.begin.forecast": ["forecast"],
        "deep.begin.preview": ["field_of_view", "training_inputs"],
        "deep.begin.rate_finder": ["find_rate"],
        "deep.pose.preview": ["place_fields", "place_inputs"],
        "machine": ["machine"],
    },
)
