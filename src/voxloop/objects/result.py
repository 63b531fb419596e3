"""Objects as users hold them: a label image, what is known of it, its table and meshes. Opening computes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config.objects import ObjectsConfig
from voxloop.errors import PredictionError
from voxloop.volumes import open_volume

if TYPE_CHECKING:
    from xarray import DataArray


class Objects:
    """A label image of objects on disk.

    Attributes
    ----------
    path, name
        The OME-Zarr folder, and its name.
    count
        How many objects there are, numbered 1 to ``count``.
    unsure
        How many of them belong to clumps longer than the watershed's reach, and may be cut otherwise than in the
        whole volume.
    config
        The settings they were made with.
    facts
        Everything it says about itself.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        try:
            self.facts: dict[str, Any] = json.loads((self.path / "zarr.json").read_text())["attributes"]["voxloop"]
            self.count = int(self.facts["objects"])
            self.unsure = int(self.facts["unsure"])
            self.config = ObjectsConfig.from_json(self.facts["settings"])
        except FileNotFoundError:
            raise PredictionError(f"{path} holds no objects: there is no such folder, or no zarr.json in it") from None
        except (ValueError, KeyError) as error:
            raise PredictionError(f"{path} holds no objects of voxloop, or is damaged: {error!r}") from error

    @property
    def labels(self) -> DataArray:
        """Numbers of the objects (z, y, x), uint32; 0 is none. Lazy."""
        return open_volume(self.path)

    def __repr__(self) -> str:
        unsure = f", {self.unsure} of them longer than the reach" if self.unsure else ""
        return f"<Objects {self.name!r}: {self.count}{unsure}>"
