"""Which class a learner of pictures gave each frame, tile or object, on disk; read while it goes. Writes no labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError, unknown
from voxloop.prediction.found_pieces import read_pieces

if TYPE_CHECKING:
    import pandas as pd


class FoundClasses:
    """Classes of frames, or of an image. Get them from ``run.result``.

    Attributes
    ----------
    level, image
        The level that was learned, the image that was looked at.
    names
        Classes, in the order of the probabilities.
    frames
        Frames that were to be looked at; None of a volume or a single picture.
    tiles, boxes
        The grid whose tiles were looked at, and plane, top, bottom, left and right of each; ``frame`` is then the
        number of a tile. None where frames were.
    objects, places
        The objects that were looked at, and number and middle (z, y, x) of each. None where frames or tiles were.
    run
        The run that looked.
    """

    kind = "pictures"

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self._folder = folder
        self.level: str = about["level"]
        self.image: str = about["image"]
        self.names: tuple[str, ...] = tuple(about["names"])
        self.frames: list[int] | None = about["frames"]
        self.tiles: str | None = about.get("tiles")
        self.boxes: list[list[int]] | None = about.get("boxes")
        self.objects: str | None = about.get("objects")
        self.places: list[list[int]] | None = about.get("places")
        self.run: str = folder.parent.name

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Frames (n,) and probabilities (n, class). Raises PredictionError where nothing was looked at yet."""
        columns = read_pieces(self._folder, ("frame", "probabilities"))
        return columns["frame"], columns["probabilities"]

    def table(self) -> pd.DataFrame:
        """A row a frame, tile or object: its class, how sure, and the probability of each class."""
        import pandas as pd

        frames, probabilities = self.arrays()
        best = probabilities.argmax(1)
        data: dict[str, Any] = {"frame": frames, "class": [self.names[n] for n in best.tolist()]}
        if self.places is not None:
            data["object"] = np.array(self.places)[data.pop("frame"), 0]
        if self.boxes is not None:
            places = np.array(self.boxes)[frames]
            data |= {name: places[:, n] for n, name in enumerate(("plane", "top", "bottom", "left", "right"))}
        data["score"] = probabilities[np.arange(len(best)), best]
        return pd.DataFrame({**data, **{f"p {name}": probabilities[:, n] for n, name in enumerate(self.names)}})

    def heat_map(self, label: str, plane: int | None = None) -> tuple[np.ndarray, tuple[float, float]]:
        """How likely a class is over an image that was looked at in tiles.

        Parameters
        ----------
        label
            Name of the class.
        plane
            Of a stack; the first that was looked at where not given.

        Returns
        -------
        map, step
            Probabilities (row, column), mean of the tiles that overlap, NaN where none was looked at; and the voxels
            (rows, columns) that a cell stands for.

        Raises
        ------
        PredictionError
            Frames were looked at, or there is no such class or plane.
        """
        if self.boxes is None:
            raise PredictionError("whole frames were looked at, which have one class each; predict with tiles=")
        if label not in self.names:
            raise PredictionError(unknown("class", label, self.names))
        numbers, probabilities = self.arrays()
        boxes = np.array(self.boxes)
        plane = int(boxes[0, 0]) if plane is None else plane
        if plane not in boxes[:, 0]:
            raise PredictionError(f"plane {plane!r} was not looked at")
        step = [max(1, int(np.gcd.reduce(boxes[:, at].ravel()))) for at in ([1, 2], [3, 4])]
        extent = [int(boxes[:, 2].max()), int(boxes[:, 4].max())]
        step = [max(one, size // 2048) for one, size in zip(step, extent, strict=True)]
        total = np.zeros([-(-size // one) for size, one in zip(extent, step, strict=True)])
        count = np.zeros_like(total)
        for number, one in zip(numbers.tolist(), probabilities[:, self.names.index(label)].tolist(), strict=True):
            at, top, bottom, left, right = self.boxes[number]
            if at == plane:
                cells = slice(top // step[0], -(-bottom // step[0])), slice(left // step[1], -(-right // step[1]))
                total[cells] += one
                count[cells] += 1
        with np.errstate(invalid="ignore"):
            return total / count, (float(step[0]), float(step[1]))

    def counts(self) -> dict[str, int]:
        """How many frames of each class."""
        best = self.arrays()[1].argmax(1)
        return {name: int((best == n).sum()) for n, name in enumerate(self.names)}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of level {self.level!r} on {self.image!r}: {', '.join(self.names)}>"
