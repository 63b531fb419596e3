"""The task of a run that works out the supervoxels of a whole image, and the opening of what came out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config.supervoxels import SupervoxelConfig
from voxloop.runs.orders import Ordered, obey
from voxloop.runs.runner import read_config
from voxloop.store import Store
from voxloop.store.layout import Layout
from voxloop.supervoxels.opening import open_partition
from voxloop.supervoxels.partition import Partition

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.runs.context import TaskContext

#: seconds between two progress events, at least
_EVERY = 0.5


def run(context: TaskContext) -> str:
    """Work out all seeds that are not known yet, into ``derived/supervoxels``; a run started again goes on.

    ``config``: ``image``, ``settings``.
    """
    with Store.open(context.workspace, read_only=True) as store:
        partition = _opened(store, context.config)
        tiles = list(partition.tiles.all())
        last = 0.0
        for number, tile in enumerate(tiles, start=1):
            try:
                obey(context.orders())
            except Ordered as order:
                return str(order)
            if not partition.tiles.ready(tile):
                partition.tiles.tile(tile)
            if time.monotonic() - last > _EVERY or number == len(tiles):
                last = time.monotonic()
                context.emit("progress", done=number, total=len(tiles), unit="blocks")
    return "finished"


def open_result(run_path: str | Path) -> DataArray:
    """The supervoxels that a run worked out; what was deleted since is worked out where it is looked at."""
    path = Path(run_path).resolve()
    with Store.open(Layout.of_run(path).root, read_only=True) as store:
        return _opened(store, read_config(path)).lazy()


def _opened(store: Store, config: dict[str, Any]) -> Partition:
    image = str(config["image"])
    settings = SupervoxelConfig.from_json(config["settings"])
    facts = store.images.info(image).fingerprint
    return open_partition(store.images.open(image), store.document.channels, settings, store.layout, image, facts)
