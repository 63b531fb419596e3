"""Watch and steer runs: curves, words, samples, log, and the four orders. Reads event logs; trains nothing."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config.learners import OF_MARKS
from voxloop.errors import RunError
from voxloop.panels.base.panel import CopyCode, Panel, badge, classed, column, heading, row, show, spacer, text
from voxloop.panels.base.style import PALETTE
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Attempt, Poll
from voxloop.panels.monitor import run_markup, run_words
from voxloop.panels.monitor.curve_controls import CurveControls
from voxloop.panels.monitor.curve_plot import EPOCHS, STEPS, Colors, CurvePlot
from voxloop.panels.monitor.curves import POINTS, CurveView, curves, metrics
from voxloop.panels.monitor.export_bar import ExportBar
from voxloop.panels.monitor.live_settings import LiveSettings
from voxloop.panels.monitor.run_choice import RunChoice
from voxloop.panels.monitor.run_controls import RunControls
from voxloop.panels.monitor.sample_view import SampleView
from voxloop.panels.monitor.score_words import measured_sentence, score_sentence
from voxloop.panels.monitor.snapshot import Snapshot
from voxloop.review.scores import ScoreCache
from voxloop.runs.kinds import UNSCORED
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    from voxloop.runs import Run

#: seconds between looks at the logs while a run is going, and once all have ended (to notice a resume)
LIVE_SECONDS, IDLE_SECONDS = 0.25, 2.0
#: seconds between looks for a score that has to be computed
SCORE_SECONDS = 2.0
_SAMPLES = "From left to right: picture, labels, prediction, how sure it is (white: sure)"


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

    Examples
    --------
    >>> panel = vl.MonitorPanel(ws.runs["shallow-1"])
    """

    @on_ui
    def __init__(self, run: Run | Sequence[Run], *, embedded: bool = False) -> None:
        super().__init__(embedded=embedded)
        self.runs = list(run) if isinstance(run, Sequence) else [run]
        if not self.runs:
            raise RunError("there is no run to show; start one with ws.train(...)")
        self._lists = len(self.runs) > 1 and not embedded
        self._scores = _scores_of(self.runs)
        self._snapshots: list[Snapshot] = []
        self._focus = len(self.runs) - 1
        self._colors = _colors(self.runs)
        self.view = CurveView()
        self.metric = "iou"
        self._build()
        self._give_order = Attempt(self, lambda verb, run: verb(run), self._order_given, failed=self._order_refused)
        # reading a long log for the first time may take longer than a tick
        self._poll = Poll(self, self._look, self._show, failed=self._look_failed)
        self.timer = self.every(LIVE_SECONDS, self._poll.now)
        if not embedded:
            classed(self.widget, "vx-tall", "vx-at-most")
            # the panel around an embedded one has scores computed for its list
            Poll(self, self._compute_score, lambda _: self._poll.now(), seconds=SCORE_SECONDS, failed=self._look_failed)
        self._poll.now()

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
        runs = ", ".join(f"ws.runs[{run.name!r}]" for run in self.runs)
        return f"vl.MonitorPanel({runs})" if len(self.runs) == 1 else f"vl.MonitorPanel([{runs}])"

    # ------------------------------------------------------------------------------------------------------ building

    def _build(self) -> None:
        self.head = text("", "vx-run-head", markup=True)
        self.status = text("", "vx-run-status")
        self.score = text("", "vx-run-score")
        self.bar = classed(w.HTML(), "vx-run-bar")
        self.facts = classed(w.HTML(), "vx-run-facts")
        self.trouble = classed(w.HTML(), "vx-run-trouble", "vx-hidden")
        self.controls = RunControls(self, self._order)
        self.list = RunChoice(self, self.runs, self._colors, self._choose) if self._lists else None
        self.live = LiveSettings(self, self._order)
        self.exports = ExportBar(self, lambda: self.run)
        self.curve_controls = CurveControls(self, self._set_view, self._set_metric)
        self.legend = text("", "vx-legend", markup=True)
        self.loss_plot, self.metric_plot = self._plots()
        self.plots = classed(w.HBox(), "vx-plots")
        self.curves_box = classed(
            column(row(self.legend, spacer(), row(*self.curve_controls.widgets, classes=("vx-view",))), self.plots),
            "vx-hidden",
        )
        self.samples = SampleView(self, _SAMPLES)
        self.log = classed(w.HTML(), "vx-log")
        self.log_box = classed(column(heading("Log"), self.log), "vx-section", "vx-hidden")
        beside = [self.list.widget] if self.list else []
        self.body(
            *beside,
            row(self.head, self.status, spacer(), CopyCode(code=self.code), classes=("vx-run-line",)),
            self.score,
            self.bar,
            self.controls.widget,
            column(
                self.live.widget,
                self.trouble,
                self.facts,
                self.curves_box,
                self.samples.widget,
                self.log_box,
                self.exports.widget,
                classes=("vx-scrolls", "vx-run-more"),
            ),
        )
        self.widget.children = (*self.widget.children, _style())
        self.widget.add_class("vx-monitor")
        self.on_close(self._close_plots)

    def _plots(self) -> tuple[CurvePlot, CurvePlot]:
        losses = CurvePlot("Loss", self._colors, log=self.view.log)
        pictures = all(run.learner in OF_MARKS for run in self.runs)
        name, title = run_words.metric_title(self.metric), run_words.plot_title(self.metric, pictures=pictures)
        return losses, CurvePlot(name, self._colors, title=title, unit_range=run_words.is_share(self.metric))

    def _place_plots(self, losses: bool, scores: bool) -> None:
        """Only figures with something in them are in the page: bqplot cannot draw into a box that is not shown."""
        filled = []
        if losses:
            filled.append(self.loss_plot.widget)
        if scores:
            filled.append(self.metric_plot.widget)
        if self.plots.children != tuple(filled):
            show(self.curves_box, bool(filled))
            self.plots.children = filled

    # ------------------------------------------------------------------------------------------------------- looking

    @on_ui
    def refresh(self) -> None:
        """Look at the logs now."""
        self._poll.now()

    def _look(self) -> list[Snapshot]:
        return [Snapshot.of(run, scores.of_run(run)) for run, scores in zip(self.runs, self._scores, strict=True)]

    def _compute_score(self) -> None:
        """Have a score computed that is not known yet; off the UI thread."""
        for scores in dict.fromkeys(self._scores):
            scores.compute_next()

    def _look_failed(self, error: BaseException) -> None:
        self.timer.seconds = IDLE_SECONDS
        self.show_error(error)

    def _show(self, snapshots: list[Snapshot]) -> None:
        pairs = list(zip_longest(snapshots, self._snapshots))
        changed = [not now.same(then) for now, then in pairs]
        epochs = sum(then is None or len(now.history.epochs) != len(then.history.epochs) for now, then in pairs)
        self._snapshots = snapshots
        self.timer.seconds = self._pause(epochs)
        if any(changed):
            self._draw_curves()
        self._draw_words(changed[self._focus])

    def _pause(self, epochs: int) -> float:
        """Seconds to the next look; an epoch changes some 25 widgets, so what is fast then waits a little."""
        alive = any(snapshot.alive for snapshot in self._snapshots)
        return LIVE_SECONDS * (1 + epochs) if alive else IDLE_SECONDS

    @property
    def focused(self) -> Snapshot:
        """The run that is steered, as it was at the last look."""
        return self._snapshots[self._focus]

    # ------------------------------------------------------------------------------------------------------- drawing

    def _draw_curves(self) -> None:
        histories = [snapshot.history for snapshot in self._snapshots]
        names = list(dict.fromkeys(name for history in histories for name in metrics(history)))
        self.curve_controls.offer(names, self.metric)
        if names and self.metric not in names:
            self._set_metric(names[0])
            return
        share = POINTS // len(histories)
        losses = [curves(history, "loss", self.view, share) for history in histories]
        # a logarithm is a matter of losses; a metric is shown as it is
        plain = replace(self.view, log=False)
        scores = [curves(history, self.metric, plain, share) for history in histories]
        along = STEPS if any(history.iteration for history in histories) else EPOCHS
        self.loss_plot.show(losses, beside=scores, along=along)
        self.metric_plot.show(scores, beside=losses, along=along)
        self.legend.value = run_markup.legend(self._colors, [run.name for run in self.runs], histories)
        self._place_plots(any(losses), any(scores))
        self.curve_controls.suit(any(len(history.steps) for history in histories), any(losses))
        self.curve_controls.say_hidden(sum(run_curves.hidden for run_curves in losses))

    def _draw_words(self, changed: bool) -> None:
        snapshot, run = self.focused, self.run
        history = snapshot.history
        elapsed = 0.0
        if snapshot.state == "running" and history.time:
            elapsed = max(0.0, time.time() - history.time)
        self.status.value = html.escape(run_words.sentence(snapshot.state, history, elapsed))
        self.score.value = self._score_words(snapshot)
        if self.list:
            self.list.show(self._snapshots)
        if not changed:
            return
        title = run.config.get("title") or run.name
        look = run_words.LOOKS.get(snapshot.state, "")
        self.head.value = f"<b>{html.escape(title)}</b> {badge(snapshot.state, look)}"
        self.bar.value = run_markup.progress_bar(snapshot)
        self.facts.value = run_markup.facts(run_words.facts(snapshot.state, history))
        self.log.value = run_markup.log(history)
        show(self.log_box, bool(history.log or history.epochs))
        self.trouble.value = run_markup.trouble(snapshot)
        show(self.trouble, bool(self.trouble.value))
        self.controls.show(snapshot.state)
        self.live.show(run, snapshot)
        self.exports.show(bool(len(history.steps) or history.epochs))
        self.samples.show(run.path, history.samples)

    def _score_words(self, snapshot: Snapshot) -> str:
        """How good what the run made is; empty while it is at work, and for what has no score."""
        if snapshot.state not in run_words.ENDED or self.run.kind in UNSCORED:
            return ""
        if self.run.learner in OF_MARKS:
            return html.escape(measured_sentence(snapshot.history.measured))
        return html.escape(score_sentence(snapshot.score))

    # ------------------------------------------------------------------------------------------------------- acting

    def _order(self, verb: Callable[[Run], object]) -> None:
        """Give an order off the UI thread (a disk may be slow), then look at once."""
        self.controls.wait()
        self._give_order(verb, self.run)

    def _order_given(self, _: object) -> None:
        self.say("", "quiet")
        self._look_soon()

    def _order_refused(self, error: BaseException) -> None:
        self._look_soon()
        self.show_error(error)

    def _look_soon(self) -> None:
        if self._snapshots:
            self.controls.show(self.focused.state)
        self.timer.seconds = LIVE_SECONDS
        self._poll.now()

    def _choose(self, index: int) -> None:
        self._focus = index
        self.controls.reset()
        self._draw_words(True)

    def _set_view(self, changes: dict[str, Any]) -> None:
        """Smoothing, window, logarithm, outliers."""
        before, self.view = self.view, replace(self.view, **changes)
        if self.view.log != before.log:
            self._rebuild()
        elif self._snapshots:
            self._draw_curves()

    def _set_metric(self, metric: str) -> None:
        if metric != self.metric:
            self.metric = metric
            self._rebuild()

    def _rebuild(self) -> None:
        """bqplot keeps the kind of a scale for life, so other axes are other figures."""
        old = (self.loss_plot, self.metric_plot)
        self.loss_plot, self.metric_plot = self._plots()
        if self._snapshots:
            self._draw_curves()
        for plot in old:
            plot.close()

    def _close_plots(self) -> None:
        """A plot without data is not in the page, so closing what is in the page does not reach it."""
        self.loss_plot.close()
        self.metric_plot.close()


def _scores_of(runs: Sequence[Run]) -> list[ScoreCache]:
    """The scores of the workspace of each run."""
    roots = [Layout.of_run(run.path).root for run in runs]
    scores = {root: ScoreCache(Layout(root)) for root in dict.fromkeys(roots)}
    return [scores[root] for root in roots]


def _style() -> w.HTML:
    sheet = files(__package__).joinpath("monitor.css").read_text(encoding="utf-8")
    return classed(w.HTML(f"<style>{sheet}</style>"), "vx-style")


def _colors(runs: Sequence[Run]) -> list[Colors]:
    """Blue and red for one run; with several each has one colour of its own, training dashed, whatever their order."""
    if len(runs) == 1:
        return [Colors()]
    order = (2, 0, 6, 1, 5, 4, 3)  # told apart on white and on black, and first those that are neither blue nor red
    oldest = sorted(range(len(runs)), key=lambda index: (runs[index].config.get("created", 0), runs[index].name))
    chosen = [PALETTE[order[oldest.index(index) % len(order)]] for index in range(len(runs))]
    return [Colors(batch=color, train=color, val=color, best=color) for color in chosen]
