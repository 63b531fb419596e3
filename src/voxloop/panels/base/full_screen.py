"""A button that shows the panel around it on the whole screen, and back. Knows no panel."""

from __future__ import annotations

import anywidget


class FullScreen(anywidget.AnyWidget):
    """Put it anywhere into a panel; Escape leads back as well."""

    _esm = """
    const ICON = "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4";
    function render({ el }) {
      el.classList.add("vx-full-screen");
      const button = document.createElement("button");
      button.className = "jupyter-button widget-button vx-link vx-icon";
      button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICON}"/></svg>`;
      const panel = () => el.closest(".vx-root");
      const name = (words) => { button.title = words; button.setAttribute("aria-label", words); };
      const changed = () => {
        const on = !!document.fullscreenElement && document.fullscreenElement === panel();
        button.setAttribute("aria-pressed", String(on));
        name(on ? "Leave the full screen (Esc)" : "Full screen");
      };
      button.addEventListener("click", async () => {
        try {
          if (document.fullscreenElement) await document.exitFullscreen();
          else await panel().requestFullscreen();
        } catch (error) { name(`This page may not fill the screen: ${error.message}`); }
      });
      document.addEventListener("fullscreenchange", changed);
      changed();
      el.append(button);
      return () => document.removeEventListener("fullscreenchange", changed);
    }
    export default { render };
    """
