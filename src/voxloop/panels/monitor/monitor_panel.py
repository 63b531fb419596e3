"""Watch and steer runs: curves, words, samples, log, and the four orders. Reads event logs; trains nothing."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import RunError
from voxloop.panels.base.panel import (
    CopyCode,
    Panel,
    badge,
    classed,
    column,
    heading,
    row,
    show,
    spacer,
    swatch,
    table,
    text,
)
from voxloop.panels.base.style import PALETTE
from voxloop.panels.base.ui import on_ui
from voxloop.panels.monitor import run_words
from voxloop.panels.monitor.curve_plot import BEST, TRAIN, VAL, Colors, CurvePlot
from voxloop.panels.monitor.curves import POINTS, View, curves, metrics
from voxloop.panels.monitor.export_bar import ExportBar
from voxloop.panels.monitor.monitor_controls import Controls, ViewControls
from voxloop.panels.monitor.run_table import value_text
from voxloop.panels.monitor.sample_view import SampleView
from voxloop.runs.comparison import differences, usual
from voxloop.runs.run import ALIVE

if TYPE_CHECKING:
    from voxloop.runs import History, Run

#: seconds between looks at the logs while a run is going, and once all have ended (to notice a resume)
LIVE_SECONDS, IDLE_SECONDS = 0.25, 2.0
LOG_LINES = 200
#: settings that the list of several runs shows, at most
_DIFFERENCES = 6
_SAMPLES = "From left to right: picture, held-out labels, prediction, how sure it is (white: sure)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """What one run looked like at one moment."""

    state: str
    history: History
    tail: str = ""

    def same(self, other: Look | None) -> bool:
        return other is not None and self.state == other.state and self.history is other.history


class MonitorPanel(Panel):
    """Watch one run, or several laid over each other.

    It only reads the event log, so it shows a run that is queued, running, failed or long finished alike, may be opened
    twice, and shows everything again after a reload. Pause, Stop and Cancel are heard while a cell is running.

    Parameters
    ----------
    run
        A run, or several: their curves are laid over each other, and the one chosen in the list is steered.
    embedded
        The panel around it lists the runs, and opens the one that is steered, which is the last.
    """

    @on_ui
    def __init__(self, run: Run | Sequence[Run], *, embedded: bool = False) -> None:
        super().__init__(embedded=embedded)
        self.runs = list(run) if isinstance(run, Sequence) else [run]
        if not self.runs:
            raise RunError("there is no run to show; start one with ws.train(...)")
        self._lists = len(self.runs) > 1 and not embedded
        self._looks: dict[int, Look] = {}
        self._epochs_drawn: dict[int, int] = {}
        self._looking = False
        self._focus = len(self.runs) - 1
        self._colors = _colors(self.runs)
        self.view = View()
        self.metric = "iou"
        self._build()
        self._timer = self.every(LIVE_SECONDS, self._tick)
        self._tick()

    @property
    def run(self) -> Run:
        """The run that the buttons steer."""
        return self.runs[self._focus]

    @property
    def colors(self) -> dict[str, str]:
        """The colour of each run's curves, by name."""
        return {run.name: paint.val for run, paint in zip(self.runs, self._colors, strict=True)}

    @property
    def code(self) -> str:
        """The line of Python that shows this panel."""
        names = [f"ws.runs[{run.name!r}]" for run in self.runs]
        return f"vl.MonitorPanel({names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'})"

    # ------------------------------------------------------------------------------------------------------ building

    def _build(self) -> None:
        self.head = text("", "vx-run-head", markup=True)
        self.status = text("", "vx-run-status")
        self.bar = classed(w.HTML(), "vx-run-bar")
        self.facts = classed(w.HTML(), "vx-run-facts")
        self.trouble = classed(w.HTML(), "vx-run-trouble", "vx-hidden")
        self.controls = Controls(self._order, self.handler)
        self.list = RunChoice(self.runs, self._colors, self.handler(self._choose)) if self._lists else None
        self.exports = ExportBar(self.handler, self.in_thread, lambda: self.run)
        self.view_controls = ViewControls(self.handler(self._set_view), self.handler(self._set_metric))
        self.legend = text("", "vx-legend", markup=True)
        self.loss_plot, self.metric_plot = self._plots()
        self.plots = classed(w.HBox(), "vx-plots")
        self.curves_box = classed(
            column(row(self.legend, spacer(), row(*self.view_controls.widgets, classes=("vx-view",))), self.plots),
            "vx-hidden",
        )
        self.samples = SampleView(self.in_thread, _SAMPLES)
        self.log = classed(w.HTML(), "vx-log")
        self.log_box = classed(column(heading("Log"), self.log), "vx-section", "vx-hidden")
        self.body(
            *([self.list.widget] if self.list else []),
            row(self.head, self.status, spacer(), CopyCode(code=self.code), classes=("vx-run-line",)),
            self.bar,
            self.controls.widget,
            self.trouble,
            self.facts,
            self.curves_box,
            self.samples.widget,
            self.log_box,
            self.exports.widget,
        )
        self.widget.children = (*self.widget.children, _style())
        self.widget.add_class("vx-monitor")
        self.on_close(self._close_plots)

    def _plots(self) -> tuple[CurvePlot, CurvePlot]:
        title = run_words.metric_title(self.metric)
        unit_range = self.metric != "loss"
        return (
            CurvePlot("Loss", self._colors, log=self.view.log),
            CurvePlot(title, self._colors, unit_range=unit_range),
        )

    def _place_plots(self, losses: bool, scores: bool) -> None:
        """Only figures with something in them are in the page: bqplot cannot draw into a box that is not shown."""
        wanted = (*([self.loss_plot.widget] if losses else []), *([self.metric_plot.widget] if scores else []))
        if self.plots.children != wanted:
            show(self.curves_box, bool(wanted))
            self.plots.children = wanted

    # ------------------------------------------------------------------------------------------------------- looking

    def _tick(self) -> None:
        if not self._looking:  # reading a long log for the first time may take longer than a tick
            self._looking = True
            self.in_thread(self._look, self._seen)

    def _look(self) -> dict[int, Look] | Exception:
        try:
            return {index: _look_at(run) for index, run in enumerate(self.runs)}
        except Exception as error:  # raised on the UI thread, where the panel shows it, once looking is allowed again
            return error

    def _seen(self, looks: dict[int, Look] | Exception) -> None:
        self._looking = False
        if isinstance(looks, Exception):
            self._timer.seconds = IDLE_SECONDS
            raise looks
        changed = {index for index, look in looks.items() if not look.same(self._looks.get(index))}
        epochs = [i for i in changed if len(looks[i].history.epochs) != self._epochs_drawn.get(i, 0)]
        self._epochs_drawn = {index: len(look.history.epochs) for index, look in looks.items()}
        self._looks = looks
        self._timer.seconds = self._pause(len(epochs))
        if changed:
            self._draw_curves()
        self._draw_words(self._focus in changed)

    def _pause(self, epochs: int) -> float:
        """Seconds to the next look; an epoch changes some 25 widgets, so what is fast then waits a little."""
        alive = any(look.state in ALIVE for look in self._looks.values())
        return LIVE_SECONDS * (1 + epochs) if alive else IDLE_SECONDS

    @property
    def focused(self) -> Look:
        return self._looks[self._focus]

    # ------------------------------------------------------------------------------------------------------- drawing

    def _draw_curves(self) -> None:
        histories = [self._looks[index].history for index in range(len(self.runs))]
        known = list(dict.fromkeys(name for history in histories for name in metrics(history)))
        self.view_controls.offer(known, self.metric)
        if known and self.metric not in known:
            self._set_metric(known[0])
            return
        share = POINTS // len(histories)
        losses = [curves(history, "loss", self.view, share) for history in histories]
        # a logarithm is a matter of losses; a metric is shown as it is
        plain = replace(self.view, log=False)
        scores = [curves(history, self.metric, plain, share) for history in histories]
        along = "step" if any(history.iteration for history in histories) else "epoch"
        self.loss_plot.show(losses, beside=scores, along=along)
        self.metric_plot.show(scores, beside=losses, along=along)
        _put(self.legend, _legend(self._colors, [run.name for run in self.runs], histories))
        self._place_plots(any(losses), any(scores))
        self.view_controls.suit(any(len(history.steps) for history in histories), any(losses))
        self.view_controls.say_hidden(sum(found.hidden for found in losses))

    def _draw_words(self, changed: bool) -> None:
        look, run = self.focused, self.run
        history = look.history
        elapsed = max(0.0, time.time() - history.time) if look.state == "running" and history.time else 0.0
        _put(self.status, html.escape(run_words.sentence(look.state, history, elapsed)))
        if self.list:
            self.list.show([(found.state, found.history) for _, found in sorted(self._looks.items())], self._focus)
        if not changed:
            return
        title = run.config.get("title") or run.name
        _put(self.head, f"<b>{html.escape(title)}</b> {badge(look.state, run_words.LOOKS.get(look.state, ''))}")
        _put(self.bar, _bar(look))
        _put(self.facts, _facts(run_words.facts(look.state, history)))
        _put(self.log, _log(history))
        show(self.log_box, bool(history.log or history.epochs))
        self._draw_trouble(look)
        self.controls.show(look.state)
        self.exports.show(bool(len(history.steps) or history.epochs))
        self.samples.show(run.path, history.samples)

    def _draw_trouble(self, look: Look) -> None:
        history = look.history
        lines = []
        if look.state == "failed" and history.error:
            lines = [f"<b>{html.escape(history.error)}</b>", html.escape(history.hint or "")]
        if look.tail:
            summary = "The end of what it printed"
            lines.append(f"<details><summary>{summary}</summary><pre>{html.escape(look.tail)}</pre></details>")
        _put(self.trouble, "".join(f"<div>{line}</div>" for line in lines if line))
        show(self.trouble, bool(lines))

    # ------------------------------------------------------------------------------------------------------- acting

    def _order(self, verb: Callable[[Run], object]) -> None:
        """Give an order off the UI thread (a disk may be slow), then look at once."""
        run = self.run
        self.controls.wait()
        self.in_thread(lambda: _tried(verb, run), self._answered)

    def _answered(self, error: Exception | None) -> None:
        self.controls.show(self.focused.state)
        self._timer.seconds = LIVE_SECONDS
        self._tick()
        if error is not None:
            raise error
        self.say("", "quiet")

    def _choose(self, index: int) -> None:
        self._focus = index
        self.controls.reset()
        self._draw_words(True)

    def _set_view(self, changes: dict[str, Any]) -> None:
        """Smoothing, window, logarithm, outliers."""
        before, self.view = self.view, replace(self.view, **changes)
        if self.view.log != before.log:
            self._rebuild()
        elif self._looks:
            self._draw_curves()

    def _set_metric(self, metric: str) -> None:
        if metric != self.metric:
            self.metric = metric
            self._rebuild()

    def _rebuild(self) -> None:
        """bqplot keeps the kind of a scale for life, so other axes are other figures."""
        old = (self.loss_plot, self.metric_plot)
        self.loss_plot, self.metric_plot = self._plots()
        if self._looks:
            self._draw_curves()
        for plot in old:
            plot.close()

    def _close_plots(self) -> None:
        """A plot without data is not in the page, so closing what is in the page does not reach it."""
        self.loss_plot.close()
        self.metric_plot.close()


class RunChoice:
    """The list of several runs: colour, state, best, the settings in which they differ; one of them is steered."""

    def __init__(self, runs: Sequence[Run], colors: Sequence[Colors], on_choose: Callable[[int], object]) -> None:
        names = [run.name for run in runs]
        self._names, self._colors = names, colors
        found = differences(runs)
        self._differing = dict(list(found.items())[:_DIFFERENCES])
        self._more = len(found) - len(self._differing)
        self.table = classed(w.HTML(), "vx-run-list")
        self.choice = w.Dropdown(options=[(name, index) for index, name in enumerate(names)], layout={"width": "auto"})
        self.choice.value = len(names) - 1
        self.choice.observe(lambda change: on_choose(change["new"]), "value")
        self._parents = [str(run.config.get("parent") or "fresh") for run in runs]
        self.widget = column(self.table, row(text("Details of", "vx-dim"), self.choice))

    def show(self, looks: Sequence[tuple[str, History]], focus: int) -> None:
        rows = []
        for index, (state, history) in enumerate(looks):
            name, paint = self._names[index], self._colors[index]
            facts = dict(run_words.facts(state, history))
            label = f"{swatch(paint.val)}{html.escape(name)}"
            rows.append(
                (
                    f"<b>{label}</b>" if name == self._names[focus] else label,
                    badge(state, run_words.LOOKS.get(state, "")),
                    facts.get("epoch", ""),
                    _kept(facts),
                    html.escape(self._parents[index]),
                    facts.get("time", ""),
                    *self._cells(index),
                )
            )
        heads = [name.replace("_", " ") for name in self._differing]
        more = [f"+{self._more} more"] * bool(self._more)
        _put(self.table, table(("Run", "State", "Epoch", "Kept", "From", "Time", *heads, *more), rows, right=(2, 5)))

    def _cells(self, index: int) -> list[str]:
        """The settings of a run that differ from those of others; set off where they are not what most have."""
        cells = []
        for values in self._differing.values():
            words = html.escape(value_text(values[index]))
            odd = values[index] != usual(values)
            cells.append(f'<span class="vx-differs"><b>{words}</b></span>' if odd else words)
        return cells + [""] * bool(self._more)


def _style() -> w.HTML:
    sheet = files(__package__).joinpath("monitor.css").read_text(encoding="utf-8")
    return classed(w.HTML(f"<style>{sheet}</style>"), "vx-style")


def _look_at(run: Run) -> Look:
    state, history = run.state, run.history
    return Look(state=state, history=history, tail=run.log_tail() if state in ("failed", "interrupted") else "")


def _tried(verb: Callable[[Run], object], run: Run) -> Exception | None:
    try:
        verb(run)
    except Exception as error:  # shown by the panel, on its own thread
        return error
    return None


def _put(widget: w.HTML, value: str) -> None:
    if widget.value != value:
        widget.value = value


def _colors(runs: Sequence[Run]) -> list[Colors]:
    """Blue and red for one run; with several each has one colour of its own, training dashed, whatever their order."""
    if len(runs) == 1:
        return [Colors()]
    order = (2, 0, 6, 1, 5, 4, 3)  # told apart on white and on black, and first those that are neither blue nor red
    oldest = sorted(range(len(runs)), key=lambda index: (runs[index].config.get("created", 0), runs[index].name))
    chosen = [PALETTE[order[oldest.index(index) % len(order)]] for index in range(len(runs))]
    return [Colors(batch=color, train=color, val=color, best=color) for color in chosen]


def _kept(facts: Mapping[str, str]) -> str:
    """The epoch that is kept, and on top of it the one that scored higher, where there is one."""
    title = f"highest: {facts['highest']}" if "highest" in facts else run_words.HELP["best"]
    words = facts.get("kept") or facts.get("best", "")
    return f'<span title="{html.escape(title, quote=True)}">{html.escape(words)}</span>' if words else ""


def _legend(colors: Sequence[Colors], names: Sequence[str], histories: Sequence[History]) -> str:
    def item(kind: str, color: str, words: str) -> str:
        return f'<span class="vx-key"><i class="vx-key-{kind}" style="color:{color}"></i>{html.escape(words)}</span>'

    if len(colors) == 1:
        batches = item("dot", TRAIN, "batch") if len(histories[0].steps) else ""
        lines = batches + item("line", TRAIN, "training") + item("line", VAL, "validation")
        return lines + "".join(item(name, BEST, words) for name, words in run_words.marks(histories[0]))
    lines = "".join(item("line", paint.val, name) for paint, name in zip(colors, names, strict=True))
    lines += item("dash", "currentColor", "training") + item("line", "currentColor", "validation")
    marked = dict.fromkeys(name for history in histories for name, _ in run_words.marks(history))
    return lines + "".join(item(name, "currentColor", name) for name in marked)


def _bar(look: Look) -> str:
    kind = run_words.LOOKS.get(look.state, "")
    share = 100 * look.history.progress
    return f'<div class="vx-progress vx-{kind or "idle"}"><div style="width:{share:.1f}%"></div></div>'


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    def cell(name: str, value: str) -> str:
        title = html.escape(run_words.HELP.get(name, ""), quote=True)
        return f'<div class="vx-fact" title="{title}"><span>{html.escape(name)}</span><b>{html.escape(value)}</b></div>'

    cells = "".join(cell(name, value) for name, value in facts)
    return f'<div class="vx-facts">{cells}</div>'


def _log(history: History) -> str:
    events = sorted((*history.epochs[-LOG_LINES:], *history.log[-LOG_LINES:]), key=lambda event: event.get("time", 0))
    lines = [
        f'<div class="vx-log-{html.escape(event["kind"])}"><time>{run_words.clock(event.get("time", 0))}</time> '
        f"{html.escape(run_words.log_line(event))}</div>"
        for event in reversed(events[-LOG_LINES:])
    ]
    return "".join(lines)
