// Strokes that no kernel has acknowledged yet, kept with the page: they outlive a reload, the kernel and its connection.
// Each goes by the id that its view gave it, so that one handed over twice is known. Knows no view.

const KEPT = "voxloop stroke ";

// The views of this page that care for their strokes themselves.
function livingViews() {
  const name = Symbol.for("voxloop views");
  window[name] ??= new Set();
  return window[name];
}

const keptStrokes = {
  put({ id, place, axis, index, tool, points, radii }) {
    if (!place) return;
    const rounded = points.map((value) => Math.round(value * 100) / 100);
    try { sessionStorage.setItem(KEPT + id, JSON.stringify({ id, place, axis, index, tool, points: rounded, radii })); } catch { /* full, or forbidden */ }
  },

  drop(id) {
    try { sessionStorage.removeItem(KEPT + id); } catch { /* forbidden */ }
  },

  // Those drawn on `place` by a view that is not there any more, in the order in which they were drawn.
  orphans(place) {
    const strokes = [];
    try {
      for (const key of Object.keys(sessionStorage)) {
        if (!key.startsWith(KEPT)) continue;
        const stroke = JSON.parse(sessionStorage.getItem(key));
        if (stroke.place === place && !livingViews().has(stroke.id.split("-")[0])) strokes.push(stroke);
      }
    } catch { /* forbidden, or somebody else's */ }
    const number = ({ id }) => +id.split("-")[1];
    return strokes.sort((a, b) => number(a) - number(b));
  },
};
