"""Workspaces in napari, and napari's layers as a workspace. Imports no napari: layers are data until napari takes them.

Each name loads on first use. napari finds the plugin by ``napari.yaml`` beside this file.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "keeping": ["keep_labels"],
        "reading": ["get_reader", "workspace_layers"],
        "taking": ["from_napari"],
    },
)
