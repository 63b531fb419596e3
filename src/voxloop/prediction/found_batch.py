"""What a learner of places or pictures found in several images of one run. Reads what the run wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.errors import PredictionError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from voxloop.prediction.found import FoundPlaces
    from voxloop.prediction.found_classes import FoundClasses

#: the list of images, in the order in which they are looked at
IMAGES = "images.json"


class FoundBatch(Mapping[str, "FoundPlaces | FoundClasses"]):
    """What was found, by image: ``found["film 2"]``. Images that were not looked at yet, or could not be, are missing.

    Attributes
    ----------
    images
        All that are looked at, in order.
    """

    def __init__(self, folder: Path, open_one: Callable[[Path], FoundPlaces | FoundClasses]) -> None:
        self._folder, self._open = folder, open_one
        try:
            self.images: tuple[str, ...] = tuple(json.loads((folder / IMAGES).read_text()))
        except (OSError, ValueError) as error:
            raise PredictionError(f"{folder} holds nothing that was found: {error}") from error

    def __getitem__(self, image: str) -> FoundPlaces | FoundClasses:
        if image not in self.images:
            raise KeyError(unknown("image", image, self.images))
        return self._open(folder_of_image(self._folder, self.images.index(image)))

    def __iter__(self) -> Iterator[str]:
        return (
            image for n, image in enumerate(self.images) if any(folder_of_image(self._folder, n).glob("[0-9]*.npz"))
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def failed(self) -> dict[str, str]:
        """Images that were not looked at, once the run has finished."""
        looked_at = set(self)
        return {image: "" for image in self.images if image not in looked_at}

    @property
    def kind(self) -> str:
        """``points``, ``boxes`` or ``pictures``; empty before the first image."""
        return next((self[image].kind for image in self), "")

    def table(self) -> pd.DataFrame:
        """All instances, or all frames, a row each, with their image."""
        import pandas as pd

        parts = [self[image].table().assign(image=image) for image in self]
        if not parts:
            raise PredictionError("nothing has been looked at yet; wait for the run")
        whole = pd.concat(parts, ignore_index=True)
        return whole[["image", *(name for name in whole.columns if name != "image")]]

    def counts(self) -> dict[str, int]:
        """How many instances each image holds, over all of its frames that were looked at."""
        return {image: sum(self[image].counts().values()) for image in self}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} of {len(self.images)} images>"


def folder_of_image(folder: Path, number: int) -> Path:
    """Where what was found in the ``number``-th image lies."""
    return folder / f"image-{number:05d}"
