"""Widgets in JupyterLab: each panel is a view of a value, and shows the line of Python that it runs. Computes nothing.

``base.ui.UiLoop`` is the one thread that owns widgets: constructors carry ``@on_ui``, and messages of every widget
made on it are handled on it, also while a cell blocks. A panel has a state and a ``.widget``, shows itself in a cell,
and is closed with ``close()``, after which no comm is left. What takes longer than 20 ms goes through ``base.work``.

``view.plane_view.PlaneView`` is the picture. The page asks for frames, each naming its display; the kernel keeps
nothing about displays. Frames stay in the page, decoded, up to 96 MB, and while nothing else is wanted the next
planes in the direction of travel are fetched ahead, so that a turn of the wheel costs one draw. A stroke keeps its
ink until a frame carries its sequence number, and is sent again, with the same id, until it is acknowledged.
"""
