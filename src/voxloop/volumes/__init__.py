"""Any stack as a dask-backed xarray in micrometres: opening, scales, writing, samples. Knows no workspace.

A volume is an ``xarray.DataArray`` with dims ``("c"?, "z", "y", "x")`` and coordinates in micrometres. Its ``attrs``:
``spacing_um`` (z, y, x; right also where an axis has one voxel), ``source`` (text), ``channel_names`` (only with
``c``), ``z_kind`` (``"space"`` or ``"frame"``), ``open_arguments`` (what :func:`open_volume` needs to open it again,
JSON), and ``remarks``: what the file holds besides, and what was assumed.

Other rooms use the small accessors ``spacing_of``, ``shape_zyx``, ``channels_of`` and ``read_block``. The last reads
straight from the source where no dask operation lies between, so that a plane of a volume of a million blocks costs
what the plane costs. A format is one module under ``formats/``; plugins register a ``Format`` in the entry-point
group ``voxloop.formats``.
"""

from voxloop.volumes import samples
from voxloop.volumes.opening import as_volume, open_volume
from voxloop.volumes.pyramid import scales
from voxloop.volumes.saving import save_volume
from voxloop.volumes.volume import (
    channels_of,
    opened_with,
    read_block,
    shape_zyx,
    spacing_of,
    spacing_sources,
)

__all__ = [
    "as_volume",
    "channels_of",
    "open_volume",
    "opened_with",
    "read_block",
    "samples",
    "save_volume",
    "scales",
    "shape_zyx",
    "spacing_of",
    "spacing_sources",
]
