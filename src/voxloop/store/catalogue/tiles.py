"""Named grids of tiles over the images of a workspace. Reads no voxels."""

from __future__ import annotations

from typing import Any

from voxloop.errors import WorkspaceError, unknown
from voxloop.given import shown
from voxloop.store.catalogue import grid as grids
from voxloop.store.document import ImageInfo, TileGrid, check_name
from voxloop.store.images import Images
from voxloop.store.named import Keeper, Named
from voxloop.store.values import as_list, number

#: names that mean other items
RESERVED = ("images", "frames")


class Tiles(Named[TileGrid]):
    """Mapping of :class:`TileGrid` by name; ``ws.catalogue(name)`` is the list of its tiles.

    What was said of tiles stays with the place that it was said of: a grid of another size takes over what fits.

    Examples
    --------
    >>> grid = ws.tiles.add("tiles", "stack", size=32)
    >>> print(ws.tiles.words("tiles"))
    4 tiles of 1 image
    >>> ws.catalogue("tiles").names[:2]
    ['stack/0:32,0:32', 'stack/0:32,32:64']
    """

    def __init__(self, store: Keeper, images: Images) -> None:
        super().__init__(store)
        self._images = images

    @property
    def names(self) -> list[str]:
        return [grid.name for grid in self._store.document.tiles]

    def __getitem__(self, name: str) -> TileGrid:
        for grid in self._store.document.tiles:
            if isinstance(name, str) and grid.name == name:
                return grid
        raise WorkspaceError(unknown("grid of tiles", name, self.names))

    def add(
        self,
        name: str,
        image: object = None,
        size: object = 512,
        *,
        overlap: object = 0,
        unit: str = "voxel",
        scale: float = 1.0,
    ) -> TileGrid:
        """Cut images into tiles; nothing is copied.

        Parameters
        ----------
        image
            A name, or several, or None: every image, also those that are added later. Each has a grid of its own size.
        size, overlap
            Of a tile in the plane: one number, or rows and columns, in ``unit``.
        unit
            ``"voxel"`` or ``"um"``.
        scale
            How many times smaller a tile is looked at: one of 512 voxels at scale 3 covers 1536.

        Raises
        ------
        WorkspaceError
            The name is taken, an image is not known, or the sizes make no grid.
        """
        self._store.check_writable()
        name = check_name("tiles", name)
        if name in self.names or name in RESERVED:
            raise WorkspaceError(f"{name!r} is taken; ws.tiles.change changes a grid, or choose another name")
        new = self._grid(name, image, size, overlap, unit, scale)
        self._store.change(tiles=(*self._store.document.tiles, new))
        return new

    def change(self, name: str, **settings: Any) -> TileGrid:
        """Give a grid another ``image``, ``size``, ``overlap``, ``unit`` or ``scale``; others stay as they are.

        What was said of tiles is kept by place: a new tile takes over what was said of the old one that covers at
        least half of it. The rest stays on record and is there again with the old grid.
        """
        self._store.check_writable()
        old = self[name]
        known = {"image": old.images, "size": old.size, "overlap": old.overlap, "unit": old.unit, "scale": old.scale}
        for key in settings:
            if key not in known:
                raise WorkspaceError(unknown("setting of tiles", key, tuple(known)))
        given: dict[str, Any] = {**known, **settings}
        new = self._grid(old.name, *(given[key] for key in ("image", "size", "overlap", "unit", "scale")))
        self._store.change(tiles=tuple(new if one.name == old.name else one for one in self._store.document.tiles))
        return new

    def remove(self, name: str) -> None:
        """Forget a grid. What was said of its tiles stays on disk, and is there again with a grid of this name."""
        self._store.check_writable()
        found = self[name]
        self._store.change(tiles=tuple(one for one in self._store.document.tiles if one.name != found.name))

    def infos(self, name: str) -> list[ImageInfo]:
        """The images that a grid lies over; those that are gone are left out."""
        grid = self[name]
        every = self._store.document.images
        return list(every) if grid.images is None else [info for info in every if info.name in grid.images]

    def words(self, name: str) -> str:
        """How many tiles there are, what happens at borders, which pictures are smaller than a tile."""
        return grids.words(self[name], self.infos(name))

    def _grid(self, name: str, image: object, size: object, overlap: object, unit: object, scale: object) -> TileGrid:
        if not isinstance(unit, str) or unit not in ("voxel", "um"):
            raise WorkspaceError(f"unit={shown(unit)}: sizes are in 'voxel' or in 'um' (micrometres)")
        times = number("scale", scale, 1, error=WorkspaceError)
        if unit == "um" and times != 1:
            raise WorkspaceError("scale= belongs to sizes in voxels; a size in micrometres says already what it covers")
        sides, over = _pair("size", size), _pair("overlap", overlap)
        if min(sides) <= 0 or (unit == "voxel" and min(sides) < 8):
            raise WorkspaceError(f"size={shown(size)}: a tile has 8 voxels a side at least")
        if any(one >= side for one, side in zip(over, sides, strict=True)):
            raise WorkspaceError(f"overlap={shown(overlap)} is not less than size={shown(size)}: tiles would not go on")
        names = self._names(image)
        made = TileGrid(name=name, images=names, size=sides, overlap=over, unit=unit, scale=times)
        every = self._store.document.images
        total = 0
        for info in every:
            if names is None or info.name in names:
                total += len(grids.boxes(made, info))
        if total > grids.MOST:
            raise WorkspaceError(f"these would be {total:,} tiles; use larger ones, or fewer images")
        return made

    def _names(self, image: object) -> tuple[str, ...] | None:
        if image is None:
            return None
        given = [image] if isinstance(image, str) else as_list("image", image, error=WorkspaceError)
        names = tuple(dict.fromkeys(self._images.one(one) for one in given if one is not None))
        if not names:
            raise WorkspaceError("an empty list names no image; leave image out for all")
        return names


def _pair(what: str, given: object) -> tuple[float, float]:
    """One number for both sides, or (rows, columns). Raises WorkspaceError."""
    if isinstance(given, str) or not hasattr(given, "__len__") or getattr(given, "shape", None) == ():
        one = number(what, given, 0, error=WorkspaceError)
        return one, one
    both = as_list(what, given, error=WorkspaceError)
    if len(both) != 2:
        raise WorkspaceError(f"{what}={shown(given)}: give one number, or rows and columns")
    return number(what, both[0], 0, error=WorkspaceError), number(what, both[1], 0, error=WorkspaceError)
