"""The predictions of a workspace by name. Reads folders; computes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from voxloop.errors import PredictionError, WorkspaceError, unknown
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    from voxloop.prediction import Prediction


class Predictions(Mapping[str, "Prediction"]):
    """The predictions of a workspace by name, oldest first; opening one computes nothing.

    Examples
    --------
    >>> list(ws.predictions), ws.predictions["predict-1"].done
    (['predict-1'], 1.0)
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def __getitem__(self, name: str) -> Prediction:
        from voxloop.prediction import Prediction

        if name not in self:
            raise PredictionError(unknown("prediction", name, self))
        return Prediction(self._layout.prediction(name))

    def __iter__(self) -> Iterator[str]:
        paths = sorted(self._layout.predictions.glob("*.zarr"), key=lambda path: path.stat().st_mtime)
        return (path.stem for path in paths)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        with suppress(WorkspaceError, OSError):
            return self._layout.prediction(name).exists()
        return False

    def __repr__(self) -> str:
        return f"<Predictions: {', '.join(self) or 'none'}>"
