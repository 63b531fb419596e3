"""What panels need of the page beside their widgets: keys that stay inside, titles without markup, kernels that went,
the height of the window, roles and states for screen readers.

Knows no panel.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget
import traitlets as t


def _script(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


#: to be joined before the script of a widget that uses keys
KEYBOARD = _script("keyboard.js")
#: to be joined before the script of a widget that must know whether its kernel is there
KERNEL = _script("kernel.js")
#: to be joined before the script of a widget that works on the panel around it
IN_PANEL = _script("in_panel.js")
#: joined into one module, in this order
_SCRIPTS = ("titles.js", "in_panel.js", "page_height.js", "roles.js")
_RENDER = """
function render({ model, el }) {
  pageKeyboard();
  plainTitles();
  const leave = [sayWhenGone(model, el), inPanel(el, (root) => [new PageHeight(root, model), new Roles(root)])];
  return () => { for (const end of leave) end(); };
}

export default { render };
"""


class PageScript(anywidget.AnyWidget):
    """An invisible part of every panel.

    What is typed while the focus is in the panel, or after the pointer was last pressed there, is used by the panel or
    by nobody. Only Tab and Ctrl S go on to JupyterLab; text fields keep their keys. A panel whose kernel is gone says
    so, and nothing in it can be used any more. One that is as high as the window knows how high that is.
    """

    _esm = "\n".join([KEYBOARD, KERNEL, *map(_script, _SCRIPTS), _RENDER])
    comm_name = t.Unicode("").tag(sync=True)
    placed = t.Bool(False).tag(sync=True)  # whether a page has brought the new panel into sight

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.comm_name = self.model_id or ""
