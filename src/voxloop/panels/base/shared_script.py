"""A script that many widgets run and the page is sent once. Knows nothing of what it does.

A page that was reloaded asks for the state of all widgets at once, and takes no answer that takes longer than four
seconds: what every widget repeats counts.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as w
import traitlets as t

#: the script of a widget whose trait ``script`` names a :class:`ScriptWidget`; a page makes one module of each code
LOADER = """
const modules = (window[Symbol.for("voxloop scripts")] ??= new Map());

function load(code) {
  if (!modules.has(code)) {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    modules.set(code, import(url).finally(() => URL.revokeObjectURL(url)));
  }
  return modules.get(code);
}

async function render(context) {
  const { model } = context;
  const script = await model.widget_manager.get_model(model.get("script").slice("IPY_MODEL_".length));
  return (await load(script.get("code"))).default.render(context);
}

export default { render };
"""


class ScriptWidget(w.Widget):
    """Holds the code; has nothing to show."""

    code = t.Unicode("").tag(sync=True)


class SharedScript:
    """Code that widgets have in common: sent with the first of them, taken back with the last."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._users: set[int] = set()
        self._widget: ScriptWidget | None = None

    def lend(self, user: w.Widget) -> ScriptWidget:
        """The widget that holds the code, for a widget that runs it."""
        if self._widget is None or self._widget.comm is None:  # the latter where all widgets were closed
            self._widget = ScriptWidget(code=self._code)
        self._users.add(id(user))
        return self._widget

    def take_back(self, user: w.Widget) -> None:
        """The widget is closed."""
        self._users.discard(id(user))
        if self._widget is not None and not self._users:
            self._widget.close()
            self._widget = None


def script_trait() -> Any:
    """The trait ``script`` of a widget whose ``_esm`` is :data:`LOADER`."""
    return t.Instance(w.Widget, allow_none=True).tag(sync=True, **w.widget_serialization)
