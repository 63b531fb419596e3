"""What panels need of the page beside their widgets: keys that stay inside, titles without markup. Knows no panel."""

from __future__ import annotations

from importlib.resources import files

import anywidget


def _script(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


#: to be joined before the script of a widget that uses keys
KEYBOARD = _script("keyboard.js")


class PageScript(anywidget.AnyWidget):
    """An invisible part of every panel.

    What is typed while the focus is in the panel, or after the pointer was last pressed there, is used by the panel or
    by nobody. Only Tab and Ctrl S go on to JupyterLab; text fields keep their keys.
    """

    _esm = f"""{KEYBOARD}
{_script("titles.js")}
export default {{ render: () => {{ pageKeyboard(); plainTitles(); }} }};
"""
