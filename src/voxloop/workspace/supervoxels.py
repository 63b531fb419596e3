"""The supervoxels of the images of a workspace: as a layer, worked out whole, saved, as a graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config.supervoxels import SupervoxelConfig
from voxloop.geometry import Box
from voxloop.volumes import shape_zyx

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.runs import Run
    from voxloop.supervoxels.graph import RegionGraph
    from voxloop.supervoxels.partition import Partition
    from voxloop.workspace.project import Project


class ImageSupervoxels:
    """``ws.supervoxels(...)`` is the lazy layer; its verbs take the same settings.

    Settings are those of :class:`voxloop.config.supervoxels.SupervoxelConfig`: ``size`` in voxels of the finest
    in-plane axis or ``size_um``, ``compactness``, ``channel`` (of the image by number, of the workspace by name),
    ``dimensions`` ("auto", "2d", "3d").

    Examples
    --------
    >>> pieces = ws.supervoxels(size=12)
    >>> pieces.shape, int(pieces.max()) > 10
    ((6, 64, 64), True)
    """

    def __init__(self, project: Project) -> None:
        self._project = project

    def __call__(
        self,
        image: str | None = None,
        size: float = 10,
        compactness: float = 20.0,
        channel: int | str | None = None,
        **settings: Any,
    ) -> DataArray:
        """The supervoxel of every voxel, (z, y, x) from 1, lazy: slice it, and it works that out, or reads it.

        Equal to the whole whatever is sliced. What is worked out once lies in ``derived/``; a volume too large to wait
        for is made by :meth:`compute`.

        Raises
        ------
        ConfigError
            No such channel, a size that the image does not hold, planes that are pictures of their own.
        VolumeError
            The image cannot be opened.
        """
        config = SupervoxelConfig(size=size, compactness=compactness, channel=channel, **settings)
        return self.open(config, image).lazy()

    def open(self, config: SupervoxelConfig, image: str | None = None) -> Partition:
        """Supervoxels that are read by the box. Raises ConfigError, VolumeError."""
        from voxloop.supervoxels.opening import open_partition

        store = self._project.store
        image = self._project.images.one(image)
        volume, mark = store.images.open(image), store.images.info(image).fingerprint
        return open_partition(volume, store.document.channels, config, store.layout, image, mark)

    def compute(self, image: str | None = None, **settings: Any) -> Run:
        """Work out the supervoxels of a whole image in a process of its own.

        Returns
        -------
        Run
            At once; ``run.result`` waits and is the layer.
        """
        from voxloop.workspace.choices import run_name

        project = self._project
        config = SupervoxelConfig(**settings)
        image = project.images.one(image)
        self.open(config, image)  # what cannot be made is said now
        project.store.check_open_to_runs()
        run = project.runs.create(
            run_name(project, None, "supervoxels"),
            "voxloop.supervoxels.task:run",
            config.noted(),
            kind="supervoxels",
            result="voxloop.supervoxels.task:open_result",
            image=image,
        )
        return run.launch()

    def save(self, path: str | Path, image: str | None = None, *, overwrite: bool = False, **settings: Any) -> Path:
        """Write them as labels: ``.zarr``, ``.ome.tif``, ``.tif``, ``.h5`` and what else :func:`save_volume` writes."""
        from voxloop.volumes import save_volume

        layer = self.open(SupervoxelConfig(**settings), image).lazy()
        return save_volume(layer, path, kind="labels", overwrite=overwrite)

    def graph(self, image: str | None = None, region: object = None, **settings: Any) -> RegionGraph:
        """Which of them touch: tables ``nodes`` and ``edges`` (faces, area, mean contrast), ``save(path)`` as CSV.

        Parameters
        ----------
        region
            Slices (z, y, x), a box, a region's name; None: all.
        """
        from voxloop.supervoxels.graph import region_graph

        partition = self.open(SupervoxelConfig(**settings), image)
        if region is None:
            return region_graph(partition)
        named = self._project.regions[region].box if isinstance(region, str) else region
        return region_graph(partition, Box.of(named, shape_zyx(partition.volume)))
