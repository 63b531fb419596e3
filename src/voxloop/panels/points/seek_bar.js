// The bar over all frames. Draws from the model's traits; sends the frame that somebody wants.

const GRAPH = 30, ROW = 5, GAP = 2, SEND_MS = 50;

function render({ model, el }) {
  el.classList.add("vx-seek");
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "slider");
  canvas.setAttribute("aria-label", "Frame");
  canvas.style.cssText = "display:block;width:100%;cursor:pointer;touch-action:none;border-radius:3px";
  el.append(canvas);
  let wanted = null, timer = 0, held = false;

  const tint = (name, fallback) => getComputedStyle(el).getPropertyValue(name).trim() || fallback;

  function draw() {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth || 400, height = GRAPH + 3 * (ROW + GAP) + 4;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const count = model.get("count"), columns = model.get("columns"), at = (n) => (n / columns) * width;
    const step = Math.max(1, width / columns);
    pen.fillStyle = tint("--vx-raised", "#f3f3f3");
    pen.fillRect(0, 0, width, height);
    const graph = model.get("graph");
    pen.fillStyle = tint("--vx-dim", "#777");
    graph.forEach((value, n) => {
      if (value !== null) pen.fillRect(at(n), GRAPH - 2 - value * (GRAPH - 6), step + 0.5, Math.max(1, value * (GRAPH - 6)));
    });
    const rows = [["labelled", tint("--vx-accent", "#1976d2")], ["predicted", "#e69f00"], ["suggested", "#cc79a7"]];
    rows.forEach(([name, color], row) => {
      pen.fillStyle = color;
      for (const n of model.get(name)) pen.fillRect(at(n), GRAPH + row * (ROW + GAP) + 2, Math.max(2, step + 0.5), ROW);
    });
    const index = model.get("index"), x = count > 1 ? (index / (count - 1)) * (width - 2) : 0;
    pen.fillStyle = tint("--vx-text", "#000");
    pen.fillRect(x, 0, 2, height);
    canvas.setAttribute("aria-valuemin", "0");
    canvas.setAttribute("aria-valuemax", String(count - 1));
    canvas.setAttribute("aria-valuenow", String(index));
    canvas.setAttribute("aria-valuetext", `frame ${index} of ${count}`);
    canvas.title = "Click or drag to a frame. Blue: labelled; orange: predicted; pink: suggested";
  }

  function ask(index) { // the newest wins; not more often than the kernel draws
    const frame = Math.max(0, Math.min(model.get("count") - 1, Math.round(index)));
    if (frame === wanted) return;
    wanted = frame;
    if (!timer) timer = setTimeout(() => { timer = 0; model.send({ kind: "seek", index: wanted }); }, SEND_MS);
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    ask(((event.clientX - box.left) / box.width) * (model.get("count") - 1));
  };
  canvas.addEventListener("pointerdown", (event) => {
    held = true;
    wanted = null;
    try { canvas.setPointerCapture(event.pointerId); } catch { /* gone already */ }
    place(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (held) place(event); });
  canvas.addEventListener("pointerup", () => { held = false; });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10 }[event.key];
    const index = model.get("index");
    if (by === undefined && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    event.stopPropagation();
    wanted = null;
    ask(event.key === "Home" ? 0 : event.key === "End" ? model.get("count") - 1 : index + by);
  });

  const names = ["count", "index", "columns", "labelled", "predicted", "suggested", "graph"];
  for (const name of names) model.on(`change:${name}`, draw);
  const watch = new ResizeObserver(draw);
  watch.observe(el);
  const theme = new MutationObserver(() => { draw(); setTimeout(draw, 500); }); // its styles may come a little later
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "data-jp-theme-light"] });
  draw();
  return () => {
    watch.disconnect();
    theme.disconnect();
    clearTimeout(timer);
    for (const name of names) model.off(`change:${name}`, draw);
  };
}
export default { render };
