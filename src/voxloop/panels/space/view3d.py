"""The panel of three dimensions: image planes, surfaces, cuts, views; pictures and turntables. Calls ``ws.scene3d``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.film.camera import VIEWS, Camera3D
from voxloop.geometry import AXES, Box
from voxloop.panels.base.panel import CopyCode, Panel, button, classed, column, labelled, row, section, show, text
from voxloop.panels.base.split import split
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Latest
from voxloop.panels.space.film_work import FilmWork, Told
from voxloop.panels.space.solid_keys import SolidKeys
from voxloop.panels.space.solid_looks import SolidLooks
from voxloop.panels.space.solid_plot import SolidPlot

if TYPE_CHECKING:
    from pathlib import Path

    from voxloop.film.raster import ImagePlane
    from voxloop.film.scene3d import Scene3D
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.workspace.workspace import Workspace

#: degrees of a press on a button or a key that turns, and with Shift
STEP, FINE_STEP = 15.0, 3.0
#: columns and rows of a picture that lies beside a plane, about
NARROW = (300, 400)
_SIZES = [
    ("640 x 480", (640, 480)),
    ("960 x 720", (960, 720)),
    ("1280 x 720", (1280, 720)),
    ("1920 x 1080", (1920, 1080)),
]


class View3D(Panel):
    """An image in three dimensions, with surfaces of labels, predictions and objects.

    Drag turns, the wheel zooms, a drag with the right button moves, a click names an object. Over the picture arrows
    turn (with Shift by less), + and - zoom, Home shows all.

    Parameters
    ----------
    ws
        The workspace.
    image
        Which image; the first stack where not given.
    layers
        Names of levels, predictions and runs that made objects; None: every level that holds anything.
    beside
        A plane view, such as ``panel.view`` of a label panel: planes follow its crosshair, and it follows them.
    height
        Of the picture, CSS pixels.
    on_click
        Called with the name of the layer and the number of the object that is clicked.
    compact
        Settings below the picture, behind a button: for beside a plane.

    Raises
    ------
    VolumeError, LabelError, PredictionError
        There is no such image or layer, the image is flat, or k3d is not installed.

    Examples
    --------
    >>> view = vl.View3D(ws, layers=["objects-1"])
    >>> view.look("top")
    >>> view.picture("top.png", size=(320, 240))
    PosixPath('top.png')
    """

    @on_ui
    def __init__(
        self,
        ws: Workspace,
        image: str | None = None,
        layers: Sequence[Any] | None = None,
        *,
        beside: PlaneView | None = None,
        height: int = 520,
        on_click: Callable[[str, int], object] | None = None,
        compact: bool = False,
        embedded: bool = False,
    ) -> None:
        if not ws.images.names:
            raise LabelError("this workspace has no image yet; add one with ws.images.add(name, path)")
        self.ws = ws
        self.image = image or ws.images.names[0]
        self.layers = None if layers is None else list(layers)
        #: what is shown, without surfaces until those are made
        self.scene: Scene3D = ws.scene3d(self.image, layers=[])
        super().__init__(embedded=embedded)
        self._beside = beside
        self._moving, self._on_click, self._compact = False, on_click, compact
        #: numbers of selected objects, by layer
        self.selected: dict[str, tuple[int, ...]] = {}
        self.plot = SolidPlot(height, lambda name, number: self.handler(lambda: self._clicked(name, number))())
        self.looks = SolidLooks(self, self._look_changed)
        self._made: Latest[Scene3D] = Latest(self, self._show_surfaces, failed=self._failed)
        self._drawn: dict[str, Latest[ImagePlane | None]] = {
            axis: Latest(self, partial(self.plot.show_plane, axis)) for axis in AXES
        }
        self._build()
        self.on_close(self.plot.close)
        self.plot.show_cut(self.scene)
        self.look("isometric")
        for axis in AXES:
            self._draw_plane(axis)
        if beside is not None:
            self._follow(beside)
        self.refresh()

    # ------------------------------------------------------------------------------------------------------ building

    def _build(self) -> None:
        handler = self.handler
        shape = self.scene.shape
        self.sliders: dict[str, w.IntSlider] = {}
        self.shows: dict[str, w.Checkbox] = {}
        self.cuts: dict[str, w.IntRangeSlider] = {}
        for axis, size in zip(AXES, shape, strict=True):
            about = f"The image plane across {axis}"
            slider = w.IntSlider(value=self.scene.planes[axis], min=0, max=size - 1, tooltip=about)
            shows = w.Checkbox(value=True, indent=False, description=axis, tooltip=f"Show {about.lower()}")
            cut = w.IntRangeSlider(
                value=(0, size), min=0, max=size, **labelled(axis, f"Planes of {axis} that are shown")
            )
            slider.observe(handler(partial(self._moved, axis)), "value")
            shows.observe(handler(partial(self._draw_plane, axis)), "value")
            cut.observe(handler(self._cut), "value")
            self.sliders[axis], self.shows[axis], self.cuts[axis] = slider, shows, cut
        views = [button(name, handler(partial(self.look, name)), tooltip=f"Look from: {name}") for name in VIEWS]
        views[0].tooltip = "The xy planes, as the picture shows them"
        turns: list[tuple[str, str, Callable[[], object]]] = [
            ("arrow-left", "Turn left (←)", lambda: self.turn(STEP)),
            ("arrow-right", "Turn right (→)", lambda: self.turn(-STEP)),
            ("arrow-up", "Look more from above (↑)", lambda: self.turn(up=STEP)),
            ("arrow-down", "Look more from below (↓)", lambda: self.turn(up=-STEP)),
            ("search-plus", "Nearer (+)", lambda: self.zoom(1.25)),
            ("search-minus", "Farther (-)", lambda: self.zoom(0.8)),
            ("home", "Show all, as at first (Home)", self.reset),
        ]
        hands = [button("", handler(act), icon=icon, tooltip=words) for icon, words, act in turns]
        self._words = classed(text("making surfaces …"), "vx-dim", "vx-small")
        self._path = classed(
            w.Text(value="view.png", **labelled("File", ".png, .jpg, .tif; a film .mp4 or .gif")), "vx-grow"
        )
        self._size = w.Dropdown(options=_SIZES, value=(960, 720), tooltip="Pixels of picture and film")
        self._seconds = w.BoundedFloatText(
            value=6, min=0.2, max=600, **labelled("Seconds", "How long the turntable is")
        )
        self._turns = w.BoundedFloatText(
            value=1, min=-20, max=20, **labelled("Turns", "How often it turns; below 0: back")
        )
        self._replace = w.Checkbox(value=False, indent=False, description="replace")
        save = button(
            "Save picture", handler(self._save_picture), icon="camera", tooltip="Write what is seen as a picture"
        )
        film = button("Save turntable", handler(self._save_film), icon="film", tooltip="Write a film of it turning")
        self._picture, self._film = FilmWork(self, save), FilmWork(self, film)
        self.code = CopyCode()
        planes = [row(self.shows[axis], classed(self.sliders[axis], "vx-grow")) for axis in AXES]
        again = button("Make surfaces again", handler(self.refresh), tooltip="Of labels as they are now")
        keys = classed(SolidKeys(lambda key, fine: self.handler(lambda: self._press(key, fine))()), "vx-hidden")
        solid = classed(w.VBox([self.plot.widget, keys]), "vx-solid")
        turning = classed(w.HBox(hands), "vx-row", "vx-wrap")
        side = w.VBox(
            [
                section("Look", classed(w.HBox(views), "vx-row", "vx-wrap"), *([] if self._compact else [turning])),
                section("Image planes", *planes),
                section("Surfaces", self.looks.widget, self._words, row(again)),
                section("Cut", *(classed(self.cuts[axis], "vx-grow") for axis in AXES)),
                section(
                    "Picture and film",
                    self._path,
                    row(self._size, self._replace),
                    row(self._seconds, self._turns),
                    row(save, film),
                    self._picture.widget,
                    self._film.widget,
                    self.code,
                ),
            ]
        )
        side.add_class("vx-panel")
        if self._compact:
            more = w.ToggleButton(icon="sliders", tooltip="Views, planes, surfaces, cuts, pictures and films")
            more.observe(handler(lambda: show(side, more.value)), "value")
            show(side, False)
            turning.children = (*turning.children, more)
            self.body(solid, turning, self.message.widget, classed(side, "vx-under"), message=False)
        else:
            self.body(split(column(solid, self.message.widget), side), message=False)
        self._path.observe(handler(self._tell), "value")

    # ------------------------------------------------------------------------------------------------------- looking

    def look(self, view: str | Camera3D) -> None:
        """Look from a preset (``"front"``, ``"back"``, ``"side"``, ``"top"``, ``"isometric"``) or a camera."""
        self.plot.camera = self.scene.camera(view, NARROW if self._compact else self._size.value)
        self._tell()

    def turn(self, left: float = 0.0, up: float = 0.0) -> None:
        """Turn the scene by degrees."""
        camera = self.camera
        self.plot.camera = camera.turned(left).tilted(up) if up else camera.turned(left)

    def zoom(self, factor: float) -> None:
        """Go ``factor`` times as near."""
        self.plot.camera = self.camera.nearer(factor)

    def _press(self, key: str, fine: bool) -> None:
        """A key over the picture."""
        step = FINE_STEP if fine else STEP
        acts: dict[str, Callable[[], object]] = {
            "ArrowLeft": lambda: self.turn(step),
            "ArrowRight": lambda: self.turn(-step),
            "ArrowUp": lambda: self.turn(up=step),
            "ArrowDown": lambda: self.turn(up=-step),
            "+": lambda: self.zoom(1.25),
            "=": lambda: self.zoom(1.25),
            "-": lambda: self.zoom(0.8),
            "Home": self.reset,
        }
        if key in acts:
            acts[key]()

    def _clicked(self, name: str, number: int) -> None:
        self.select(name, [number])
        self.say(f"Object {number} of {name}")
        if self._on_click is not None:
            self._on_click(name, number)

    @on_ui
    def select(self, name: str, numbers: Sequence[int]) -> None:
        """Light up objects of a layer, and fade the others; none: all as they are."""
        chosen = tuple(int(number) for number in numbers)
        if chosen == self.selected.get(name, ()):
            return
        self.selected = {**self.selected, name: chosen}
        if name in self.scene.surfaces:
            self.plot.show_selected([self.scene.surfaces[name]], self.selected)

    def reset(self) -> None:
        """All of it, from where it was seen at first, nothing cut away."""
        for axis, size in zip(AXES, self.scene.shape, strict=True):
            self.cuts[axis].value = (0, size)
        self.look("isometric")

    @property
    def camera(self) -> Camera3D:
        """Where the user looks from."""
        return self.plot.camera or self.scene.camera("isometric")

    @on_ui
    def go_to(self, point: Sequence[float]) -> None:
        """Have the image planes go through a voxel (z, y, x)."""
        for axis, place in zip(AXES, point, strict=True):
            slider = self.sliders[axis]
            slider.value = min(slider.max, max(0, round(float(place))))

    def _follow(self, view: PlaneView) -> None:
        def crosshair(change: Any) -> None:
            if change["new"] and not self._moving:
                self.post(self.go_to, list(change["new"]))

        view.widget.observe(crosshair, "cursor")
        self.on_close(lambda: view.widget.unobserve(crosshair, "cursor"))
        stop = view.on("plane", lambda: None if self._moving else self.post(self._plane_beside))
        self.on_close(stop)
        self._plane_beside()

    def _plane_beside(self) -> None:
        """The picture beside shows another plane."""
        if self._beside is not None:
            self.sliders[self._beside.axis].value = self._beside.index

    def _moved(self, axis: str) -> None:
        self._draw_plane(axis)
        view = self._beside
        if view is None:
            return
        self._moving = True
        try:
            index = int(self.sliders[axis].value)
            if view.axis == axis and view.index != index:
                view.go_to_plane(index)
            if view.widget.cursor:
                point = list(view.widget.cursor)
                point[AXES.index(axis)] = float(index)
                view.widget.cursor = point
        finally:
            self._moving = False

    def _draw_plane(self, axis: str) -> None:
        index = int(self.sliders[axis].value) if self.shows[axis].value else None
        self.scene.set_plane(axis, index)
        self._drawn[axis].ask(partial(self._plane_of, axis, index))
        self._tell()

    def _plane_of(self, axis: str, index: int | None) -> ImagePlane | None:
        return None if index is None else self.scene.image_plane(axis, index)

    def _cut(self) -> None:
        """Show the part that the sliders leave."""
        bounds = [self.cuts[axis].value for axis in AXES]
        bounds = [
            (low, max(low + 1, high)) if low < size else (size - 1, size)
            for (low, high), size in zip(bounds, self.scene.shape, strict=True)
        ]
        box = Box.from_json(bounds)
        self.scene.clip = None if box == Box.whole(self.scene.shape) else box
        self.plot.show_cut(self.scene)
        self._tell()

    # ------------------------------------------------------------------------------------------------------ surfaces

    @on_ui
    def refresh(self) -> None:
        """Make the surfaces again, of what there is now; the planes stay."""
        self._words.value = "making surfaces …"
        layers = None if self.layers is None else list(self.layers)
        self._made.ask(lambda: self.ws.scene3d(self.image, layers=layers, planes=None))

    def _show_surfaces(self, made: Scene3D) -> None:
        known = self.scene.opacity
        self.scene.surfaces = made.surfaces
        self.scene.opacity = {**made.opacity, **{name: known[name] for name in made.opacity if name in known}}
        surfaces = list(made.surfaces.values())
        self.looks.show(surfaces, self.scene.opacity)
        self.plot.show_surfaces(surfaces, self.scene.opacity)
        if any(self.selected.values()):
            self.plot.show_selected(surfaces, self.selected)
        if len(surfaces) > 1:
            self._words.value = f"{made.triangles:,} triangles in all"
        else:
            self._words.value = "" if surfaces else "Nothing labelled yet: paint, then make surfaces."

    def _look_changed(self, name: str, opacity: float) -> None:
        self.scene.opacity[name] = opacity
        self.plot.show_opacity({**dict.fromkeys(self.scene.surfaces, 1.0), **self.scene.opacity})

    def _failed(self, error: BaseException) -> None:
        self._words.value = "the surfaces could not be made"
        self.show_error(error)

    # --------------------------------------------------------------------------------------------------------- films

    def picture(self, path: str | Path, **how: Any) -> Path:
        """Write what is seen as a picture; see :meth:`Scene3D.picture`. No browser draws it."""
        return self.scene.picture(path, self.camera, **{"size": self._size.value, **how})

    def turntable(self, path: str | Path, seconds: float = 6.0, turns: float = 1.0, **how: Any) -> Path:
        """Write a film of it turning; see :meth:`Scene3D.turntable`. No browser draws it."""
        return self.scene.turntable(path, seconds, turns, **{"size": self._size.value, "view": self.camera, **how})

    def _save_picture(self) -> None:
        path, how = self._path.value, {"size": self._size.value, "overwrite": self._replace.value}
        camera = self.camera
        self._picture.start(lambda told: self.scene.picture(path, camera, **how))

    def _save_film(self) -> None:
        path = str(self._path.value)
        if path == "view.png":
            path = self._path.value = "turntable.mp4"
        how = {"size": self._size.value, "overwrite": self._replace.value, "view": self.camera}
        seconds, turns = float(self._seconds.value), float(self._turns.value)

        def write(told: Told) -> Path:
            return self.scene.turntable(path, seconds, turns, progress=told, **how)

        self._film.start(write)

    def _tell(self) -> None:
        """The line of Python that makes this picture or film."""
        scene, path = self.scene, str(self._path.value)
        layers = "" if self.layers is None else f", layers={self.layers!r}"
        clip = "" if scene.clip is None else f", clip={scene.clip.code()}"
        verb = (
            f"turntable({path!r}, {self._seconds.value:g})" if path.endswith((".mp4", ".gif")) else f"picture({path!r})"
        )
        self.code.code = f"ws.scene3d({self.image!r}{layers}, planes={scene.planes!r}{clip}).{verb}"
