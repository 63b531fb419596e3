"""What panels need of the page beside their widgets: keys that stay inside, titles without markup, kernels that went.

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


class PageScript(anywidget.AnyWidget):
    """An invisible part of every panel.

    What is typed while the focus is in the panel, or after the pointer was last pressed there, is used by the panel or
    by nobody. Only Tab and Ctrl S go on to JupyterLab; text fields keep their keys. A panel whose kernel is gone says
    so, and nothing in it can be used any more.
    """

    _esm = f"""{KEYBOARD}
{KERNEL}
{_script("titles.js")}
export default {{ render: ({{ model, el }}) => {{ pageKeyboard(); plainTitles(); return sayWhenGone(model, el); }} }};
"""
    comm_name = t.Unicode("").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.comm_name = self.model_id or ""
