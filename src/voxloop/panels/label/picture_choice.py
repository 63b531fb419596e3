"""What lies under the labels, the image or a channel, and a channel over it. Knows the names of channels, no filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import ipywidgets as w

from voxloop.panels.base.panel import column, labelled, show
from voxloop.panels.label.overlay_choice import LOOK_S
from voxloop.panels.view.channel_layer import ChannelLayer

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.panels.label.tools import ToolState
    from voxloop.panels.view.linked_planes import LinkedPlanes
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.workspace.workspace import Workspace


class PictureOwner(Protocol):
    """The panel whose picture it is."""

    ws: Workspace
    view: PlaneView
    planes: LinkedPlanes
    state: ToolState

    @property
    def image(self) -> str: ...
    def choose(self, image: str | None = None, level: str | None = None) -> None: ...


class PictureChoice:
    """Two lists, in sight where there are channels; tools that look at intensities take those of the picture."""

    def __init__(self, owner: Any) -> None:
        self._owner: PictureOwner = owner
        self._layer: ChannelLayer | None = None
        self._offering = False
        self._entries = owner.ws.store.document.channels
        self.picture = w.Dropdown(
            options=[("image", "")], **labelled("Picture", "What is painted on; threshold and fill go by it")
        )
        self.over = w.Dropdown(options=[("nothing", "")], **labelled("Over it", "A channel laid over the picture"))
        self.picture.observe(owner.handler(self._picture_chosen), "value")
        self.over.observe(owner.handler(self._layer_chosen), "value")
        self.widget = column(self.picture, self.over)
        self._owner.view.widget.observe(lambda change: self._tell_tools(), "picture")
        self.offer()
        owner.every(LOOK_S, self.offer)
        owner.on_close(self._drop_layer)

    @property
    def layers(self) -> list[ChannelLayer]:
        """The channel over the picture, where one is."""
        return [] if self._layer is None else [self._layer]

    def show(self, *, keep: bool) -> None:
        """Show the chosen picture of the panel's image; ``keep``: at the same place."""
        owner = self._owner
        name = self.picture.value
        volumes: list[DataArray] = (
            [owner.ws.channels.open(name, owner.image)] if name else owner.ws.images.scales(owner.image)
        )
        owner.planes.show(False)
        owner.view.show(volumes, keep=keep)
        self._make_layer()
        self._tell_tools()

    def _picture_chosen(self) -> None:
        if self._offering:
            return
        owner = self._owner
        self.show(keep=True)
        owner.view.auto_contrast()
        owner.choose()

    def _layer_chosen(self) -> None:
        if self._offering:
            return
        owner = self._owner
        self._make_layer()
        owner.choose()

    def _make_layer(self) -> None:
        owner = self._owner
        self._drop_layer()
        if name := self.over.value:
            self._layer = ChannelLayer(name, owner.ws.channels.open(name, owner.image))

    def _drop_layer(self) -> None:
        if self._layer is not None:
            self._layer.close()
        self._layer = None

    def _tell_tools(self) -> None:
        """Threshold and fill go by what is seen: a channel, or the only channel of the image that is on show."""
        owner = self._owner
        shown = cast("dict[str, Any]", owner.view.widget.picture)["channels"]
        alone = shown[0] if len(shown) == 1 else 0
        owner.state.channel = self.picture.value or alone

    def offer(self) -> None:
        """Channels as there are now; one that is gone is no longer shown."""
        owner = self._owner
        names = owner.ws.channels.names
        before = self.picture.value, self.over.value
        known, self._entries = self._entries, owner.ws.store.document.channels
        self._offering = True
        for field, none in ((self.picture, "image"), (self.over, "nothing")):
            value, options = field.value, ((none, ""), *((name, name) for name in names))
            if field.options != options:
                field.options = options
                field.value = value if value in names else ""
        self._offering = False
        show(self.widget, bool(names))
        changed = known != self._entries  # under a known name, too, there may be another filter now
        if self.picture.value != before[0] or (changed and before[0]):
            self._picture_chosen()
        elif self.over.value != before[1] or (changed and before[1]):
            self._layer_chosen()
