"""Keys pressed inside a panel stay inside it: the script that sees to it, and a widget that brings it to the page.

Knows no key: a picture registers with the page's keyboard and says which keys it uses.
"""

from __future__ import annotations

from importlib.resources import files

import anywidget

#: to be joined before the script of whatever uses keys
SCRIPT = files(__package__).joinpath("keyboard.js").read_text(encoding="utf-8")


class KeyGuard(anywidget.AnyWidget):
    """An invisible part of every panel.

    What is typed while the focus is in the panel, or after the pointer was last pressed there, is used by the panel or
    by nobody. Only Tab and Ctrl S go on to JupyterLab; text fields keep their keys.
    """

    _esm = f"{SCRIPT}\nexport default {{ render: () => {{ pageKeyboard(); }} }};"
