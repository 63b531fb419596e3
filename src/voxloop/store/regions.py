"""Named boxes of a workspace."""

from __future__ import annotations

from voxloop.errors import WorkspaceError, unknown
from voxloop.geometry import Box
from voxloop.store.document import NamedRegion, check_name
from voxloop.store.images import Images
from voxloop.store.named import Keeper, Named


class Regions(Named[NamedRegion]):
    """Mapping of :class:`NamedRegion` by name."""

    def __init__(self, store: Keeper, images: Images) -> None:
        super().__init__(store)
        self._images = images

    @property
    def names(self) -> list[str]:
        return [one.name for one in self._store.document.regions]

    def __getitem__(self, name: str) -> NamedRegion:
        for one in self._store.document.regions:
            if isinstance(name, str) and one.name == name:
                return one
        raise WorkspaceError(unknown("region", name, self.names))

    def add(self, name: str, region: object, image: str | None = None) -> NamedRegion:
        """Name a box of voxels (slices z, y, x); an existing name moves to the new box."""
        self._store.check_writable()
        image = self._images.one(image)
        box = Box.of(region, self._images.info(image).shape)
        new = NamedRegion(name=check_name("region", name), image=image, box=box)
        others = tuple(one for one in self._store.document.regions if one.name != new.name)
        self._store.change(regions=(*others, new))
        return new

    def remove(self, name: str) -> None:
        """Forget a name; voxels and labels stay."""
        self._store.check_writable()
        found = self[name]
        self._store.change(regions=tuple(one for one in self._store.document.regions if one.name != found.name))
