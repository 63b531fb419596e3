"""What every panel shares: its frame, message line, guarded handlers, and closing. Knows no workspace and no run.

A panel *has* a widget, made on the UI thread. Write one like this::

    class Counter(Panel):
        @on_ui
        def __init__(self) -> None:
            super().__init__()
            self.count = w.Label("0")
            self.body(row(self.count, button("Count", self.handler(self._count))))
            self.every(1.0, self._tick)          # ends with the panel; errors show in its message line

        def _count(self) -> None: ...
"""

from __future__ import annotations

import html
import inspect
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import anywidget
import ipywidgets as w
import traitlets

from voxloop.errors import VoxloopError
from voxloop.panels.base.page import PageScript
from voxloop.panels.base.style import style_element
from voxloop.panels.base.ui import Timer, UiLoop, on_ui

T = TypeVar("T")
MessageKind = Literal["info", "good", "warning", "error", "quiet"]
log = logging.getLogger("voxloop.panels")
#: seconds after which good news leave the message line
NEWS_SECONDS = 20.0


class Panel:
    """A titled box with a message line. Close it with :meth:`close`; no comm is left then.

    ``embedded=True`` is for a panel inside another one: no style sheet of its own.
    """

    def __init__(self, title: str | None = None, *, embedded: bool = False) -> None:
        self.ui = UiLoop.get()
        self.closed = False
        self.message = Message()
        self._title = text(title, "vx-title") if title else None
        self._style = [] if embedded else [style_element(), classed(PageScript(), "vx-hidden")]
        self._timers: list[Timer] = []
        self._news: Timer | None = None
        self._errors_shown = 0
        self._tasks: list[Any] = []
        self._on_close: list[Callable[[], object]] = []
        self.widget = w.VBox()
        classed(self.widget, "vx")
        if not embedded:
            classed(self.widget, "vx-root")
        self.body()

    def body(self, *children: w.Widget, message: bool = True) -> None:
        """Show these between the title and the message line; ``message=False`` where one of them holds that line."""
        title = [self._title] if self._title else []
        self.widget.children = (*self._style, *title, *children, *([self.message.widget] if message else []))

    # ------------------------------------------------------------------------------------------- handlers, threads

    def handler(self, fn: Callable[..., object]) -> Callable[..., None]:
        """Wrap a widget callback: its arguments are dropped where ``fn`` takes none; what it raises is shown.

        Where it raises nothing, an error shown before it is taken back: the user went on.
        """
        takes = _positional(fn)

        def run(*args: Any) -> None:
            if self.closed:
                return
            errors_before = self._errors_shown
            try:
                fn(*args[:takes])
            except Exception as error:
                self.show_error(error)
            else:
                if self._errors_shown == errors_before:
                    self.clear_error()

        return run

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Run ``fn(*args)`` on the UI thread, from any thread; nothing happens once the panel is closed."""
        self.ui.post(self._unless_closed, fn, *args, report=self.show_error)

    def every(self, seconds: float, fn: Callable[[], object]) -> Timer:
        """A timer that ends with the panel."""
        timer = self.ui.every(seconds, fn, report=self.show_error)
        self._timers.append(timer)
        return timer

    def task(self, work: Coroutine[Any, Any, Any]) -> Any:
        """A coroutine on the UI thread that ends with the panel."""
        task = self.ui.create_task(work, report=self.show_error)
        self._tasks = [*(other for other in self._tasks if not other.done()), task]
        return task

    def in_thread(
        self,
        fn: Callable[[], T],
        done: Callable[[T], object] | None = None,
        failed: Callable[[BaseException], object] | None = None,
    ) -> None:
        """Run ``fn`` off the UI thread, then ``done(value)`` on it, unless the panel was closed meanwhile.

        What ``fn`` or ``done`` raises goes to ``failed``, which shows it where not given.
        """
        finish = partial(self._unless_closed, done) if done is not None else None
        report = partial(self._unless_closed, failed) if failed is not None else self.show_error
        self.ui.run_in_thread(fn, finish, report=report)

    def _unless_closed(self, fn: Callable[..., object], *args: Any) -> None:
        if not self.closed:
            fn(*args)

    # --------------------------------------------------------------------------------------------------- messages

    def say(self, words: str, kind: MessageKind = "info") -> None:
        """Write in the message line; a good or plain word also takes back the red edge of an earlier error.

        Good news leave by themselves, since what they tell of is soon past.
        """
        self._keep_news()
        self.message.say(words, kind)
        if kind == "good":
            self._news = self.every(NEWS_SECONDS, lambda: self.say("", "quiet"))
        self.widget.remove_class("vx-failed")

    def show_error(self, error: BaseException) -> None:
        """Show what went wrong. Something the user can put right is said as it is; the rest goes to the log as well."""
        if self.closed:
            return
        self._keep_news()
        self._errors_shown += 1
        if isinstance(error, VoxloopError):
            self.message.say(str(error), "error")
        else:
            log.error("unexpected error in %s", type(self).__name__, exc_info=error)
            self.message.say(f"Unexpected {type(error).__name__}: {error}. The log has the details.", "error")
        self.widget.add_class("vx-failed")

    def clear_error(self) -> None:
        """Take back an error and its red edge, since what it said is no longer so; other words stay."""
        if self.message.kind == "error":
            self.say("", "quiet")

    def _keep_news(self) -> None:
        """What is said next is not taken away with the news before it."""
        if self._news is not None:
            self._news.cancel()
            self._timers.remove(self._news)
            self._news = None

    # ---------------------------------------------------------------------------------------------------- closing

    def on_close(self, fn: Callable[[], object]) -> None:
        """Call ``fn`` when the panel closes; last registered, first called."""
        self._on_close.append(fn)

    @on_ui
    def close(self) -> None:
        """End timers and tasks, close every widget below. Safe to call twice."""
        if self.closed:
            return
        self.closed = True
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        for fn in reversed(self._on_close):
            try:
                fn()
            except Exception:
                log.exception("while closing %s", type(self).__name__)
        close_tree(self.widget)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if self.closed:
            return {"text/plain": f"<{type(self).__name__}: closed>"}
        return self.widget._repr_mimebundle_(**kwargs)


def _positional(fn: Callable[..., object]) -> int | None:
    """How many positional arguments ``fn`` takes; None: any number."""
    kinds = [parameter.kind for parameter in inspect.signature(fn).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return None
    return sum(kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)


class Message:
    """One line of words: what happened, what went wrong, what to do."""

    def __init__(self) -> None:
        self.words = ""
        self.kind: MessageKind = "quiet"
        self.widget = classed(w.HTML(), "vx-message", "vx-is-quiet")

    def say(self, words: str, kind: MessageKind = "info") -> None:
        self.words, self.kind = words, kind
        others = [name for name in self.widget._dom_classes if not name.startswith("vx-is-")]
        with self.widget.hold_sync():
            self.widget.value = html.escape(words)
            self.widget._dom_classes = (*others, f"vx-is-{kind}")


class CopyCode(anywidget.AnyWidget):
    """The button 'Copy as code', or what it is called: puts :attr:`code` on the clipboard, shows it for a moment."""

    _esm = """
    function render({ model, el }) {
      el.classList.add("vx-copy");
      const button = document.createElement("button");
      button.className = "jupyter-button widget-button vx-link";
      button.textContent = model.get("label");
      const shown = document.createElement("code");
      let timer = 0;
      const title = () => { button.title = model.get("about") + "\\n" + model.get("code"); };
      const fallback = (text) => {
        const area = document.createElement("textarea");
        area.value = text; area.style.position = "fixed"; area.style.opacity = "0";
        el.append(area); area.select(); document.execCommand("copy"); area.remove();
      };
      button.addEventListener("click", async () => {
        const code = model.get("code");
        try { await navigator.clipboard.writeText(code); } catch { fallback(code); }
        shown.textContent = code;
        button.textContent = "Copied";
        clearTimeout(timer);
        timer = setTimeout(() => { shown.textContent = ""; button.textContent = model.get("label"); }, 4000);
      });
      model.on("change:code", title);
      title();
      el.append(button, shown);
      return () => { clearTimeout(timer); model.off("change:code", title); };
    }
    export default { render };
    """
    code = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("Copy as code").tag(sync=True)
    about = traitlets.Unicode("The line of Python that does this:").tag(sync=True)


# ------------------------------------------------------------------------------------------------------ small pieces


def text(words: str = "", *classes: str, markup: bool = False) -> w.HTML:
    """A piece of text; ``markup=True`` where the caller has escaped it."""
    if not markup:
        words = html.escape(words)
    return classed(w.HTML(words), *classes)


def heading(words: str) -> w.HTML:
    return text(words, "vx-heading")


def row(*children: w.Widget, classes: Sequence[str] = ()) -> w.HBox:
    return classed(w.HBox(children), "vx-row", *classes)


def column(*children: w.Widget, classes: Sequence[str] = ()) -> w.VBox:
    return classed(w.VBox(children), "vx-column", *classes)


def section(title: str, *children: w.Widget) -> w.VBox:
    """Things that belong together under a small heading, with a rule above."""
    return classed(w.VBox([heading(title), *children]), "vx-section")


def spacer() -> w.HTML:
    return classed(w.HTML(), "vx-spacer")


def button(
    label: str,
    on_click: Callable[..., object] | None = None,
    *,
    kind: Literal["plain", "primary", "danger", "link"] = "plain",
    icon: str = "",
    tooltip: str = "",
) -> w.Button:
    """A button; pass ``panel.handler(fn)`` so that errors are shown. ``icon`` is a Font Awesome name."""
    made = w.Button(description=label, icon=icon, tooltip=tooltip)
    if kind != "plain":
        made.add_class(f"vx-{kind}")
    if icon and not label:
        made.add_class("vx-icon")
    if on_click is not None:
        made.on_click(on_click)
    return made


def labelled(label: str, words: str, *, markup: bool = False) -> dict[str, Any]:
    """Traits of an input with a label that tells ``words`` under the pointer.

    ipywidgets shows a tooltip only where there is no label. ``markup=True`` where the caller has escaped the label.
    """
    shown = label if markup else html.escape(label)
    described = f'<span title="{html.escape(words, quote=True)}">{shown}</span>' if words else shown
    return {"description": described, "description_allow_html": True, "tooltip": words}


def classed(widget: T, *classes: str) -> T:
    """The widget with style classes, set in one message."""
    widget._dom_classes = (*widget._dom_classes, *classes)  # type: ignore[attr-defined]
    return widget


def mark(widget: w.DOMWidget, name: str, on: bool) -> None:
    """Give a widget a style class, or take it away; nothing is sent where it is so already."""
    if on == (name in widget._dom_classes):
        return
    if on:
        widget.add_class(name)
    else:
        widget.remove_class(name)


def show(widget: w.DOMWidget, visible: bool) -> None:
    """Show or hide without taking the widget out of the page."""
    mark(widget, "vx-hidden", not visible)


def badge(words: str, kind: Literal["", "good", "busy", "warn", "bad"] = "") -> str:
    """Markup of a small pill, for :func:`text` with ``markup=True`` and for tables."""
    return f'<span class="vx-badge{f" vx-{kind}" if kind else ""}">{html.escape(words)}</span>'


def swatch(color: str) -> str:
    """Markup of a small coloured square."""
    return f'<span class="vx-swatch" style="background:{html.escape(color, quote=True)}"></span>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Markup of a table; cells are markup, ``right`` the columns of numbers."""

    def line(tag: str, cells: Sequence[str]) -> str:
        at_right = [' class="vx-right"' if at in right else "" for at in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{c}>{cell}</{tag}>" for c, cell in zip(at_right, cells, strict=True)) + "</tr>"

    return f'<table class="vx-table">{line("th", head) if head else ""}{"".join(line("td", r) for r in rows)}</table>'


def ago(seconds: float) -> str:
    """``just now``, ``4 min ago``, ``2 h ago``, ``3 days ago``."""
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min ago"
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.0f} h ago"
    return f"{seconds / 86400:.0f} days ago"


def clock(stamp: float | None = None) -> str:
    """Time of day, for 'saved 14:02:11'."""
    return time.strftime("%H:%M:%S", time.localtime(stamp))


# ------------------------------------------------------------------------------------------------------------ closing


def close_tree(widget: w.Widget) -> None:
    """Close a widget and every widget it holds in any trait: children, layouts, styles, scales, marks."""
    for member in list(_tree(widget, set())):
        member.close()


def _tree(value: Any, seen: set[int]) -> Iterator[w.Widget]:
    if isinstance(value, w.Widget):
        if id(value) in seen:
            return
        seen.add(id(value))
        for name in value.keys:
            if name != "_canvas_manager":  # ipycanvas has one for all canvases of the process
                yield from _tree(getattr(value, name), seen)
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tree(item, seen)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tree(item, seen)
