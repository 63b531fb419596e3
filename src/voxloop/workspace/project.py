"""What the verbs of a workspace work with: its store, its layout, its runs and its predictions. Does nothing itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from voxloop.errors import WorkspaceError, unknown
from voxloop.given import shown
from voxloop.runs import Runs
from voxloop.store import Catalogue, Store, Tiles
from voxloop.store.catalogue.tiles import RESERVED
from voxloop.workspace.predictions import Predictions

if TYPE_CHECKING:
    from voxloop.review import Offers, Rounds, ScoreCache
    from voxloop.store import BoxLabels, Labels, PictureLabels, PointLabels


class Project:
    """One workspace folder, opened. The verbs are functions that take it first.

    Attributes
    ----------
    images, levels, regions, sets, tiles
        What the workspace holds (:class:`voxloop.store.Store`).
    runs, predictions
        Those of the workspace, by name.
    layout
        Where things lie.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.images = store.images
        self.levels = store.levels
        self.regions = store.regions
        self.sets = store.sets
        self.tiles = Tiles(store, store.images)
        self.layout = store.layout
        self.runs = Runs(store.layout.runs)
        self.predictions = Predictions(store.layout)
        self._scores: ScoreCache | None = None
        self._offers: Offers | None = None
        self._catalogues: dict[str, Catalogue] = {}

    @property
    def path(self) -> Path:
        return self.store.path

    @property
    def name(self) -> str:
        return self.store.path.name

    @property
    def read_only(self) -> bool:
        return self.store.read_only

    @property
    def writer(self) -> dict[str, Any] | None:
        """Who may write this workspace (host, pid, since), None where it is this process or nobody."""
        return self.store.writer

    @property
    def rounds(self) -> Rounds:
        """The rounds of the loop: strokes, training, prediction, score; ``ws.rounds.table()`` is a table of them."""
        from voxloop.review import Rounds

        return Rounds(self)

    @property
    def scores(self) -> ScoreCache:
        """What is known of how good every run and prediction is; read at once where it was computed before."""
        from voxloop.review import ScoreCache

        if self._scores is None:
            self._scores = ScoreCache(self.layout, self.runs, self.labels)
        return self._scores

    @property
    def offers(self) -> Offers:
        """Which prediction of each image to offer, and why; read at once where it was computed before."""
        from voxloop.review import Offers

        if self._offers is None:
            self._offers = Offers(self.layout, self.scores, self.runs)
        return self._offers

    def labels(self, level: str | None = None, image: str | None = None) -> Labels:
        """The label array of one level on one image; None stands for the only one there is. Raises LabelError.

        Examples
        --------
        >>> ws.labels("labels", "stack").counts()
        {1: 136, 2: 293}
        >>> ws.labels("neurons")
        Traceback (most recent call last):
        ...
        voxloop.errors.LabelError: unknown level 'neurons'; there are 'labels', 'spots', 'boxes', 'kinds'
        """
        return self.store.labels(level=level, image=image)

    def points(self, level: str | None = None, image: str | None = None) -> PointLabels:
        """The points of one level on one image; None stands for the only one there is. Raises LabelError.

        Examples
        --------
        >>> spots = ws.points("spots")
        >>> spots.add(None, {"head": (3, 10, 10), "tail": (3, 20, 20)})
        1
        >>> spots.instance(1).points
        {'head': (3.0, 10.0, 10.0), 'tail': (3.0, 20.0, 20.0)}
        """
        return self.store.points(level=level, image=image)

    def boxes(self, level: str | None = None, image: str | None = None) -> BoxLabels:
        """The boxes of one level on one image; None stands for the only one there is. Raises LabelError.

        Examples
        --------
        >>> ws.boxes("boxes").add(None, ((3, 10, 10), (4, 22, 22)), label="cell")
        1
        >>> ws.boxes("boxes").counts()
        {'cell': 1}
        """
        return self.store.boxes(level=level, image=image)

    def pictures(self, level: str | None = None, image: str | None = None) -> PictureLabels:
        """The classes of the frames of an image; None stands for the only level or image. Raises LabelError.

        Examples
        --------
        >>> ws.pictures("kinds").assign(None, "sharp")
        >>> ws.pictures("kinds").counts()
        {'sharp': 1}
        """
        return self.store.pictures(level=level, image=image)

    def catalogue(self, name: str = "images") -> Catalogue:
        """What there is to work through, and what people say of it: status, quality, note, who does it.

        Parameters
        ----------
        name
            ``"images"``, ``"frames"`` (of stacks of frames), or a grid of tiles (``ws.tiles.add``).

        Examples
        --------
        >>> images = ws.catalogue("images")
        >>> images.set("stack", status="done", note="well focused")
        1
        >>> images.find(status="done")
        ['stack']
        """
        if not isinstance(name, str) or name not in (*RESERVED, *self.tiles.names):
            raise WorkspaceError(
                unknown("catalogue", shown(name) if not isinstance(name, str) else name, (*RESERVED, *self.tiles.names))
            )
        if name not in self._catalogues:
            self._catalogues[name] = Catalogue(self.store, self.tiles, name)
        return self._catalogues[name]

    def close(self) -> None:
        """Flush labels and give the writer lock back. Runs go on. Safe to call twice."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
