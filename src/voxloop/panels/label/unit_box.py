"""What strokes are made of, voxels or whole supervoxels, how these are made, and their borders over the picture."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import ipywidgets as w

from voxloop.config.supervoxels import SupervoxelConfig
from voxloop.errors import VoxloopError
from voxloop.geometry import Shape
from voxloop.panels.base.panel import Panel, button, classed, column, labelled, row, show, text
from voxloop.panels.base.work import Attempt
from voxloop.panels.label.overlay_choice import LOOK_S
from voxloop.panels.label.tools import ToolState
from voxloop.panels.view.border_layer import BORDERS, BorderLayer
from voxloop.store.units import UNITS

if TYPE_CHECKING:
    from voxloop.panels.label.tool_box import ToolBox
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.workspace.workspace import Workspace

#: widths that the slider offers, voxels
_NARROWEST, _WIDEST = 3, 64
#: what is followed where nothing else is chosen: the channel that tools go by
_PICTURE = "the picture"


class UnitOwner(Protocol):
    """The panel whose strokes these are."""

    ws: Workspace
    view: PlaneView
    tools: ToolBox
    state: ToolState

    @property
    def image(self) -> str: ...
    def choose(self, image: str | None = None, level: str | None = None) -> None: ...


class UnitBox:
    """A list of units; below it, where supervoxels are in the hand, how they are made.

    What is on screen is worked out off the UI thread, tile by tile, the ones on show first; *Make all* is a run.
    """

    def __init__(self, owner: Panel) -> None:
        self._panel: Panel = owner
        self._owner = cast("UnitOwner", owner)
        self._layer: BorderLayer | None = None
        self._wanted: list[Shape] = []
        self._working = False
        self._offering = False
        self._build()
        state = self._owner.state
        state.observe(owner.handler(self._state_changed), ["unit", "channel"])
        self._owner.tools.add("unit", self.widget)
        self._owner.view.on("action", owner.handler(lambda name, point: self.switch() if name == "unit" else None))
        owner.every(LOOK_S, self._offer)
        self._show()

    def _build(self) -> None:
        handler = self._panel.handler
        about = "Strokes, eraser and shapes change single voxels, or all of every supervoxel under them (Shift U)"
        self.unit = w.Dropdown(options=[(one, one) for one in UNITS], **labelled("Unit", about))
        self.size = w.IntSlider(
            10,
            min=_NARROWEST,
            max=_WIDEST,
            continuous_update=False,
            **labelled("Size", "In voxels of the finest in-plane axis, alike in micrometres along the others"),
        )
        self.compactness = w.FloatLogSlider(
            20.0,
            min=0,
            max=2,
            step=0.1,
            readout_format=".0f",
            continuous_update=False,
            **labelled("Compact", "Less follows edges, more makes cubes"),
        )
        self.channel = w.Dropdown(options=[(_PICTURE, None)], **labelled("From", "The channel whose edges they follow"))
        self.planes = w.Checkbox(
            indent=False, **labelled("Within planes only", "A stroke then labels this plane alone")
        )
        self.borders = w.Checkbox(True, indent=False, **labelled("Show borders", "Of supervoxels over the picture"))
        self._all = button("Make all", handler(self.make_all), tooltip="Work out those of the whole image, as a run")
        self._words = text("", "vx-dim", "vx-small")
        self._run: Attempt[Any] = Attempt(self._panel, self._start, self._started, button=self._all)
        self._more = column(
            self.size,
            self.compactness,
            self.channel,
            self.planes,
            row(classed(self.borders, "vx-grow"), self._all),
            self._words,
        )
        for control in (self.size, self.compactness, self.channel, self.planes, self.borders):
            control.observe(handler(self._changed), "value")
        self.unit.observe(lambda change: self._owner.state.set_trait("unit", change["new"]), "value")
        self.widget = column(self.unit, self._more)

    @property
    def layers(self) -> list[BorderLayer]:
        """The borders, where they are shown."""
        return [] if self._layer is None else [self._layer]

    @property
    def config(self) -> SupervoxelConfig:
        """How supervoxels are made as the settings stand."""
        followed = self._owner.state.channel if self.channel.value is None else self.channel.value
        return SupervoxelConfig(
            size=self.size.value,
            compactness=round(self.compactness.value, 1),
            channel=None if followed == 0 else followed,
            dimensions="2d" if self.planes.value else "auto",
        )

    @property
    def words(self) -> str:
        """What is under way."""
        return str(self._words.value)

    def switch(self) -> None:
        """Voxels in place of supervoxels, or the other way round."""
        state = self._owner.state
        state.unit = "voxels" if state.unit == "supervoxels" else "supervoxels"

    def opened(self) -> list[BorderLayer]:
        """The borders made anew, of the image that the panel shows now; none where they are not to be shown."""
        self._open()
        return self.layers

    def _open(self) -> None:
        owner = self._owner
        self._layer, self._wanted = None, []
        self._words.value = ""
        if owner.state.unit != "supervoxels" or not self.borders.value:
            return
        try:
            partition = owner.ws.supervoxels.open(self.config, owner.image)
        except VoxloopError as error:
            self._panel.show_error(error)
            return
        self._layer = BorderLayer(partition, lambda tiles: self._panel.post(self._want, partition, tiles))

    def make_all(self) -> None:
        """Work out the supervoxels of the whole image in a process of its own."""
        self._run()

    # ------------------------------------------------------------------------------------------------------ following

    def _state_changed(self) -> None:
        state = self._owner.state
        self.unit.value = state.unit
        self._changed()

    def _changed(self) -> None:
        if self._offering:
            return
        state = self._owner.state
        self._show()
        noted = self.config.noted() if state.unit == "supervoxels" else {}
        if state.supervoxels != noted:
            state.supervoxels = noted
        shown = None if self._layer is None else self._layer.partition.config
        wanted = self.config if state.unit == "supervoxels" and self.borders.value else None
        if shown != wanted:
            self._owner.choose()

    def _show(self) -> None:
        state = self._owner.state
        show(self._more, state.unit == "supervoxels")

    def _offer(self) -> None:
        """Channels as there are now; where the one that was followed is gone, the picture is."""
        owner = self._owner
        own = owner.ws.images.open(owner.image).attrs.get("channel_names") or []
        options: list[tuple[str, int | str | None]] = [(_PICTURE, None)]
        options += [(str(name or number), number) for number, name in enumerate(own) if len(own) > 1]
        options += [(name, name) for name in owner.ws.channels.names]
        if list(self.channel.options) == options:
            return
        chosen = self.channel.value
        self._offering = True
        self.channel.options = options
        self.channel.value = chosen if chosen in [value for _, value in options] else None
        self._offering = False
        if self.channel.value != chosen:
            self._changed()

    # ----------------------------------------------------------------------------------------------------------- work

    def _want(self, partition: Any, tiles: list[Shape]) -> None:
        """A plane on show needs these tiles; what planes before it needed is forgotten."""
        if self._layer is None or partition is not self._layer.partition:
            return
        self._wanted = tiles
        if not self._working:
            self._go_on()

    def _go_on(self) -> None:
        if self._layer is None or not self._wanted:
            self._words.value = ""
            return
        partition, tile = self._layer.partition, self._wanted.pop(0)
        left = len(self._wanted)
        self._words.value = "Finding supervoxels" + (f", {left + 1} pieces to go" if left else "")
        self._working = True
        self._panel.in_thread(partial(partition.tiles.tile, tile), lambda _: self._found(), self._failed)

    def _found(self) -> None:
        self._working = False
        if self._layer is not None and not self._wanted:
            self._layer.sequence += 1
            self._owner.view.refresh(BORDERS)
        self._go_on()

    def _failed(self, error: BaseException) -> None:
        self._working, self._wanted = False, []
        self._words.value = ""
        self._panel.show_error(error)

    def _start(self) -> Any:
        owner = self._owner
        return owner.ws.supervoxels.compute(owner.image, **self.config.noted())

    def _started(self, run: Any) -> None:
        self._panel.say(f"Run {run.name!r} makes all of them; the list of runs shows how far it is.", "good")
