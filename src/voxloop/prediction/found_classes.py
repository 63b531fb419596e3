"""Which class a learner of pictures gave each frame, on disk; read while the run is going. Writes no labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

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
    """

    kind = "pictures"

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self._folder = folder
        self.level: str = about["level"]
        self.image: str = about["image"]
        self.names: tuple[str, ...] = tuple(about["names"])
        self.frames: list[int] | None = about["frames"]

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Frames (n,) and probabilities (n, class). Raises PredictionError where nothing was looked at yet."""
        columns = read_pieces(self._folder, ("frame", "probabilities"))
        return columns["frame"], columns["probabilities"]

    def table(self) -> pd.DataFrame:
        """A row a frame: its class, how sure, and the probability of each class."""
        import pandas as pd

        frames, probabilities = self.arrays()
        best = probabilities.argmax(1)
        data: dict[str, Any] = {"frame": frames, "class": [self.names[n] for n in best.tolist()]}
        data["score"] = probabilities[np.arange(len(best)), best]
        return pd.DataFrame({**data, **{f"p {name}": probabilities[:, n] for n, name in enumerate(self.names)}})

    def counts(self) -> dict[str, int]:
        """How many frames of each class."""
        best = self.arrays()[1].argmax(1)
        return {name: int((best == n).sum()) for n, name in enumerate(self.names)}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of level {self.level!r} on {self.image!r}: {', '.join(self.names)}>"
