"""A widget that is brought to the page once there is room for it. Knows nothing of what it is."""

from __future__ import annotations

import anywidget
import ipywidgets as w
import traitlets as t


class WhenShown(anywidget.AnyWidget):
    """Holds ``child``, whose view is made when the place of this one has a size.

    bqplot 0.13 draws a figure at the size that it has when its view is made, and fails with negative widths where that
    is none, as in a step that is hidden.
    """

    _esm = """
    function render({ model, el }) {
      let view = null;
      let asked = false;
      let gone = false;
      const place = async () => {
        asked = true;
        const manager = model.widget_manager;
        const id = model.get("child").slice("IPY_MODEL_".length);
        if (!manager.has_model(id)) return;  // closed while the page was on its way
        const child = await manager.get_model(id);
        if (gone) return;
        view = await manager.create_view(child);
        el.append(view.el);
        view.trigger("displayed");
      };
      const observer = new ResizeObserver(() => {
        if (!asked && el.clientWidth > 0) place();
      });
      observer.observe(el);
      return () => { gone = true; observer.disconnect(); view?.remove(); };
    }
    export default { render };
    """
    child = t.Instance(w.Widget).tag(sync=True, **w.widget_serialization)

    def __init__(self, child: w.Widget) -> None:
        super().__init__(child=child)
        self.layout.width = "100%"
