"""Filters of the image and of each other: set one up with its preview, keep it, compute it whole. Computes nothing."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.channels import ChannelChain
from voxloop.channels.grid import grid_of
from voxloop.channels.preview import ChannelPreview, preview
from voxloop.errors import VoxloopError, WorkspaceError
from voxloop.panels.base.panel import CopyCode, Panel, button, column, heading, labelled, row, show, spacer, text
from voxloop.panels.base.rows import Action, Row, RowList
from voxloop.panels.base.split import as_high_as_the_window, split
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Latest
from voxloop.panels.channels.filter_draft import FilterDraft
from voxloop.panels.monitor.run_start import RunStart
from voxloop.panels.monitor.run_words import AT_WORK
from voxloop.panels.view.plane_view import PlaneView

if TYPE_CHECKING:
    from voxloop.channels.grid import FilterGrid
    from voxloop.config.channels import ChannelSettings
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace


class ChannelsPanel(Panel):
    """Choose a filter and its source, watch it on the plane on show, keep it under a name; chains grow by sources.

    ``panel.add()``, ``panel.open(name)``, ``panel.remove(name)`` and ``panel.compute()`` are what the buttons do;
    ``panel.code`` is the line of Python of what is set up.

    Examples
    --------
    >>> panel = vl.ChannelsPanel(ws)
    >>> print(panel.code)
    ws.channels.add('smooth', 'gaussian', sigma_um=0.02)
    """

    @on_ui
    def __init__(
        self, ws: Workspace, image: str | None = None, *, height: int | None = None, embedded: bool = False
    ) -> None:
        super().__init__(embedded=embedded)
        if not ws.images.names:
            raise WorkspaceError("this workspace has no image yet; add one with ws.images.add(name, path)")
        self.ws = ws
        self._image = ws.images.one(image or ws.images.names[0])
        picture = as_high_as_the_window(self.widget, height)
        self.view = PlaneView(ws.images.scales(self._image), height=picture)
        self._shown = ""
        self._runs: list[Run] = []
        self._measured: dict[str, tuple[float, float]] = {}
        self._tries: Latest[ChannelPreview] = Latest(self, self._show_preview)
        self._build()
        self.on_close(self.draft.close)
        self.on_close(self.view.close)
        self.refresh()
        self.every(1.0, self._look)

    # ----------------------------------------------------------------------------------------------------- actions

    @property
    def code(self) -> str:
        """The line of Python that the button runs."""
        recipe = self.draft.recipe
        parts = [repr(recipe.name), repr(recipe.filter)]
        if recipe.source is not None:
            parts.append(f"source={recipe.source!r}")
        limits = {"other": recipe.other, "low": recipe.low, "high": recipe.high}
        parts += [f"{name}={value!r}" for name, value in limits.items() if value is not None]
        parts += [f"{name}={value!r}" for name, value in recipe.settings.items()]
        return f"ws.channels.add({', '.join(parts)})"

    @on_ui
    def add(self) -> None:
        """Keep what is set up under its name; a name that is in use gets the new filter."""
        arguments = self.draft.arguments
        settings = arguments.pop("settings")
        recipe = self.draft.recipe
        self.ws.channels.add(recipe.name, recipe.filter, image=self._image, **arguments, **settings)
        self.refresh()
        self._list.selected = recipe.name
        self.say(f"Channel {recipe.name} is kept: it holds for every image of this workspace.", "good")

    @on_ui
    def choose(self, image: str) -> None:
        """Look at another image; channels hold for all."""
        self._image = self.ws.images.one(image)
        self._choice.value = self._image
        self._measured, self._shown = {}, ""
        self.view.show(self.ws.images.scales(self._image))
        self.refresh()

    @on_ui
    def open(self, name: str) -> None:
        """Take a channel into the fields, and show it."""
        self.draft.take(self.ws.channels.recipes[name])
        self._list.selected = name

    @on_ui
    def remove(self, name: str) -> None:
        """Forget a channel; refused where another one is made of it."""
        self.ws.channels.remove(name)
        self.refresh()
        self._copy.code = f"ws.channels.remove({name!r})"
        self.say(f"Channel {name} is gone; Undo brings it back.", "good")

    @on_ui
    def undo(self) -> None:
        """Take back the last change of channels."""
        if self.ws.channels.undo():
            self.refresh()
            self._copy.code = "ws.channels.undo()"
        else:
            self.say("No channel was changed here.", "quiet")

    @on_ui
    def compute(self, name: str | None = None) -> None:
        """Compute a channel whole, or all, in a process of its own; from then on they are read."""
        self._copy.code = f"ws.channels.compute({name!r}, {self._image!r})"
        self._start(lambda: self.ws.channels.compute(name, self._image))

    @on_ui
    def save(self) -> None:
        """Write all channels to the file named in the field."""
        path = self.ws.channels.save(self._file.value or "channels.json")
        self._copy.code = f"ws.channels.save({str(path)!r})"
        self.say(f"Saved in {path}.", "good")

    @on_ui
    def load(self) -> None:
        """Add the channels of the file named in the field."""
        names = self.ws.channels.load(self._file.value or "channels.json")
        self.refresh()
        self._copy.code = f"ws.channels.load({self._file.value or 'channels.json'!r})"
        self.say(f"Loaded {', '.join(names)}; Undo takes it back.", "good")

    @on_ui
    def refresh(self) -> None:
        """Look anew at what channels there are."""
        channels = self.ws.channels
        self._chain = channels.chain(self._image)
        recipes, kept = self._chain.recipes, self._chain.kept
        actions = (
            Action("compute", "Compute", "Compute it whole, so that it is read from then on"),
            Action("remove", "Remove", "Forget it", confirm="Really remove?"),
        )
        self._list.show(
            Row(name, (html.escape(name), html.escape(recipe.words), "on disk" if name in kept else ""), actions)
            for name, recipe in recipes.items()
        )
        own = self.ws.images.open(self._image).attrs.get("channel_names") or []
        self.draft.offer(list(recipes), own)
        self._file.options = [str(path) for path in self.ws.reuse.recipes.values()]
        self._all.disabled = not recipes or self.ws.read_only
        self._undo.disabled = self.ws.read_only
        self._changed()

    # ----------------------------------------------------------------------------------------------------- changes

    def _changed(self) -> None:
        """Something of what is set up, or whether it is previewed, changed."""
        try:
            recipe = self.draft.recipe
            self._copy.code = self.code
        except VoxloopError:
            self._add.disabled = True
            raise
        known = recipe.name in self.ws.channels.names
        self._add.description = "Change" if known else "Add"
        self._add.disabled = self.ws.read_only
        wanted = recipe.model_dump_json() if self._preview.value else "image"
        if wanted == self._shown:
            return
        self._shown = wanted
        if self._preview.value:
            chain = self._chain
            others = [other for other in chain.recipes.values() if other.name != recipe.name]
            kept = {name: volume for name, volume in chain.kept.items() if name != recipe.name}
            draft = ChannelChain(chain.volume, [*others, recipe], kept, self._measured)
            scales, plane = self.ws.images.scales(self._image), self.view.visible_box()
            self._tries.ask(lambda: preview(draft, recipe.name, scales, plane))
        else:
            self._tries.forget()
            self._words.value = ""
            self.view.show(self.ws.images.scales(self._image), keep=True)
            self.view.auto_contrast()

    def _show_preview(self, found: ChannelPreview) -> None:
        self._words.value = html.escape(found.words)
        self.view.show(self.ws.images.scales(self._image) if found.volume is None else [found.volume], keep=True)
        self.view.auto_contrast()

    def _grid(self, settings: ChannelSettings) -> FilterGrid:
        return grid_of(self.ws.images.open(self._image), settings)

    def _act(self, action: str, name: str) -> None:
        if action == "open":
            self.open(name)
        elif action == "remove":
            self.remove(name)
        else:
            self.compute(name)

    def _started(self, run: Run) -> None:
        self._runs.append(run)

    def _look(self) -> None:
        """Show channels that a run has computed by now."""
        ended = [run for run in self._runs if run.state not in AT_WORK]
        if not ended:
            return
        self._runs = [run for run in self._runs if run not in ended]
        self.refresh()
        failed = next((run for run in ended if run.state != "finished"), None)
        if failed is None:
            self.say("Computed; read from disk from now on.", "good")
        else:
            self.say(f"{failed.name} {failed.state}: {failed.history.error or 'ended before it was done'}", "warning")

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        handler = self.handler
        self.draft = FilterDraft(self, self._grid, self._changed)
        self._preview = w.Checkbox(
            True, indent=False, **labelled("Preview", "Show what comes out instead of the image")
        )
        self._preview.observe(handler(self._changed), "value")
        self._words = text("", "vx-dim", "vx-small")
        self._choice = w.Dropdown(
            options=self.ws.images.names, value=self._image, **labelled("Image", "On which channels are looked at")
        )
        self._choice.observe(handler(lambda change: self.choose(change["new"])), "value")
        show(self._choice, len(self.ws.images.names) > 1)
        self._add = button("Add", handler(self.add), kind="primary", icon="plus")
        self._all = button("Compute all", handler(lambda: self.compute()), icon="play")
        self._undo = button("", handler(self.undo), icon="undo", tooltip="Undo the last change of channels")
        self._copy = CopyCode()
        self._list = RowList(handler(self._act), head=("Channel", "What", ""), empty="No channels yet.", height=220)
        self._start = RunStart(self, self._all, self._started, lambda: None)
        self._file = w.Combobox(
            value="channels.json",
            ensure_option=False,
            continuous_update=False,
            **labelled("File", "A recipe of channels, or another workspace that has some"),
        )
        files = row(self._file, button("Save", handler(self.save)), button("Load", handler(self.load)))
        side = column(
            column(
                self._choice, heading("Filter"), self.draft.widget, self._preview, self._words, classes=["vx-section"]
            ),
            column(heading("Channels"), self._list.widget, row(self._all, self._undo), files, classes=["vx-section"]),
        )
        foot = row(self._add, spacer(), self._copy, classes=["vx-start"])
        self.body(split(column(self.view.widget, self.message.widget), side, foot), message=False)
