"""The supervoxels of an image of a workspace: which channel, where their seeds are kept. The last few stay open."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxloop.channels.evaluation import reader_of
from voxloop.channels.recipe import digest, recipes_of
from voxloop.config.supervoxels import SupervoxelConfig
from voxloop.errors import ConfigError, WorkspaceError
from voxloop.geometry import Box
from voxloop.store.layout import Layout
from voxloop.supervoxels.partition import Partition
from voxloop.volumes import channels_of, shape_zyx, spacing_of
from voxloop.volumes.volume import read_lazy

if TYPE_CHECKING:
    from pydantic import BaseModel
    from xarray import DataArray

#: whoever changes what comes out changes this, so that seeds of before are not taken for those of now
_VERSION = 1
#: partitions that stay open
_OPEN = 4
_opened: OrderedDict[str, Partition] = OrderedDict()
_guard = threading.Lock()


def open_partition(
    volume: DataArray,
    entries: Iterable[BaseModel],
    config: SupervoxelConfig,
    layout: Layout,
    image: str,
    fingerprint: str,
) -> Partition:
    """The supervoxels of an image; the same object for the same ones while it is in use.

    Parameters
    ----------
    entries
        The channels of the workspace.
    fingerprint
        Of the image; seeds of another picture are never read.

    Raises
    ------
    ConfigError
        There is no such channel, or supervoxels of this kind cannot be made of this image.
    """
    entries = list(entries)
    source = config.source
    made_of = digest(source, recipes_of(entries)) if isinstance(source, str) else source
    facts = [_VERSION, fingerprint, made_of, config.to_json(), shape_zyx(volume), spacing_of(volume)]
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]
    known = f"{layout.root.resolve()}/{image}/{key}"
    with _guard:
        found = _opened.get(known)
        if found is None:
            place: Path | None = layout.supervoxels(image, key)
            try:
                layout.check_unlinked(layout.supervoxels(image, key))
            except WorkspaceError:
                place = None
            found = Partition(volume, config, _reader(volume, entries, source), place)
        _opened[known] = found
        _opened.move_to_end(known)
        while len(_opened) > _OPEN:
            _opened.popitem(last=False)
        return found


def _reader(volume: DataArray, entries: list[BaseModel], source: int | str) -> Callable[[Box], np.ndarray]:
    """Reads boxes (z, y, x) of a channel of the image by number, or of the workspace by name."""
    if isinstance(source, str):
        return reader_of(volume, entries, source)
    count = channels_of(volume)
    if source >= count:
        raise ConfigError(f"channel {source} is not one of the {count} channels of image {volume.name!r}, from 0")
    if volume.ndim == 3:
        return lambda box: read_lazy(volume.data, box.slices)
    return lambda box: read_lazy(volume.data, (slice(source, source + 1), *box.slices))[0]
