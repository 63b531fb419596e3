"""Where to paint first: places that stand for the rest of the images, before any prediction. Labels nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import Panel, section, show
from voxloop.panels.label.places import Places, Wish
from voxloop.panels.view.plane_view import PlaneView

if TYPE_CHECKING:
    from voxloop.review import Suggestion
    from voxloop.store import Edit
    from voxloop.workspace.workspace import Workspace

_HINT = "Space goes to places that look like most of the picture: paint a stroke or two at each."


class FirstPlaces:
    """A list of places, shown until there is a prediction; not at all where it is not ``offered``.

    Parameters
    ----------
    show_image
        Shows another image.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        view: PlaneView,
        *,
        show_image: Callable[[str], object],
        tell_code: Callable[[str], object],
    ) -> None:
        self._ws, self._show_image = ws, show_image
        self.places = Places(
            panel, ws, view, wish=self._wish, show_place=self._show_place, hint=_HINT, keys="Space", tell_code=tell_code
        )
        self.widget = section("Where to paint first", self.places.widget)
        self.offered = True
        self.show_access()

    @property
    def in_use(self) -> bool:
        """Whether there are places to go through."""
        return bool(self.places.suggestions)

    def show_access(self) -> None:
        """Offered while nothing was predicted; where the model is unsure is better to know from then on."""
        show(self.widget, self.offered and not len(self._ws.predictions) and not self._ws.read_only)

    def note_edit(self, edit: Edit, image: str) -> None:
        """Strokes at a place: it is done."""
        self.places.note_edit(image, edit)

    def act(self, action: str) -> None:
        """What a key asks for: the next place, or another one than this."""
        if action == "place":
            self.places.step()
        elif self.in_use:
            self.places.skip()

    def _wish(self) -> Wish:
        frames = any(self._ws.images.info(name).z_kind == "frame" for name in self._ws.images.names)
        return Wish(frames=frames)

    def _show_place(self, place: Suggestion) -> None:
        self._show_image(place.image)
