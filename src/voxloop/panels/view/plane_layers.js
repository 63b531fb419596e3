// Label-like layers of a plane view: colouring, drawing. Knows no kernel and no pointer.

function rgba(hex, alpha = 255) {
  const n = parseInt(hex.slice(1), 16);
  return ((alpha << 24) | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0; // little-endian ImageData
}

// A table of 256 colours, 0 (unlabelled) clear: classes by value; instances in hues a golden angle apart, so that neighbours differ.
function colourTable(layer) {
  const table = new Uint32Array(256);
  if (layer.kind === "scalar") {
    const low = [94, 60, 153], high = [253, 184, 99]; // purple to orange: told apart with any colour vision
    for (let i = 1; i < 256; i++) {
      const t = i / 255, mix = low.map((v, k) => Math.round(v + (high[k] - v) * t));
      table[i] = ((Math.round(255 * Math.min(1, 0.15 + t)) << 24) | (mix[2] << 16) | (mix[1] << 8) | mix[0]) >>> 0;
    }
    return table;
  }
  if (layer.kind === "instances") {
    for (let i = 1; i < 256; i++) table[i] = rgba(hueToHex((i * 137.508) % 360));
    return table;
  }
  for (const item of layer.classes) {
    if (item.visible) table[item.value & 255] = rgba(item.color);
  }
  return table;
}

function hueToHex(hue) {
  const f = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (0.58 - 0.34 * Math.max(-1, Math.min(k - 3, 9 - k, 1)))).toString(16).padStart(2, "0");
  };
  return `#${f(0)}${f(8)}${f(4)}`;
}

const UNSURE = 0.72; // confidence under which an overlay is hatched
const HATCH = (() => {
  let made = null;
  return (ctx) => {
    if (!made) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 8;
      const pen = tile.getContext("2d");
      pen.strokeStyle = "#000";
      pen.lineWidth = 1.3;
      pen.lineCap = "square";
      for (const shift of [-8, 0, 8]) {
        pen.beginPath();
        pen.moveTo(shift, 8);
        pen.lineTo(shift + 8, 0);
        pen.stroke();
      }
      made = tile;
    }
    return ctx.createPattern(made, "repeat");
  };
})();

class LayerView {
  constructor(state) {
    this.canvas = element("canvas", "vl-canvas");
    this.canvas.dataset.layer = state.id;
    this.hatch = element("canvas", "vl-canvas vl-hatch");
    this.state = state;
    this.data = null; // {indices, alpha, rows, columns, box, axis, index, sequence}
    this.fill = null;
    this.unsure = null;
    this.configure(state);
  }

  configure(state) {
    const before = this.state;
    this.state = state;
    this.canvas.style.opacity = state.opacity;
    for (const canvas of [this.canvas, this.hatch]) canvas.style.display = state.visible ? "" : "none";
    const look = (s) => JSON.stringify([s.kind, s.classes, s.outline]);
    if (look(before) !== look(state)) this.shade();
  }

  take(data) {
    this.data = data;
    this.shade();
  }

  // Colours for the indices, once per frame and per change of palette: pixels of the size of the data.
  shade() {
    const data = this.data;
    if (!data) return;
    const { rows, columns, indices, alpha } = data;
    const table = colourTable(this.state);
    const image = new ImageData(columns, rows);
    const out = new Uint32Array(image.data.buffer);
    if (this.state.outline) outlineInto(out, indices, table, rows, columns);
    else for (let i = 0; i < out.length; i++) out[i] = table[indices[i]];
    this.unsure = null;
    if (alpha) {
      const limit = Math.round(UNSURE * 255);
      const mask = new ImageData(columns, rows), dark = new Uint32Array(mask.data.buffer);
      let some = false;
      for (let i = 0; i < out.length; i++) {
        const full = out[i];
        if (full === 0) continue;
        if (!this.state.outline) out[i] = ((full & 0xffffff) | ((70 + ((alpha[i] * 185) >> 8)) << 24)) >>> 0;
        if (alpha[i] < limit) { dark[i] = full; some = true; }
      }
      if (some) this.unsure = painted(mask);
    }
    this.fill = painted(image);
  }

  draw(view, ink) {
    const ctx = this.canvas.getContext("2d");
    ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.state.visible) return;
    const here = this.data && this.data.axis === view.shown.axis && this.data.index === view.shown.index;
    if (here && this.fill) this.place(ctx, view, this.fill);
    for (const stroke of ink) stroke.draw(ctx, view);
    const unsure = here && this.unsure;
    this.hatch.style.display = unsure && this.state.visible ? "" : "none";
    if (!unsure) return;
    const pen = this.hatch.getContext("2d");
    pen.clearRect(0, 0, this.hatch.width, this.hatch.height);
    this.place(pen, view, this.unsure);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = HATCH(pen);
    pen.fillRect(0, 0, this.hatch.width, this.hatch.height);
    pen.globalCompositeOperation = "source-over";
  }

  place(ctx, view, bitmap) {
    const r = view.rectangle(this.data.axis, this.data.box);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(bitmap, r.x, r.y, r.width, r.height);
  }
}

function painted(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function outlineInto(out, indices, table, rows, columns) {
  for (let y = 0, i = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, i++) {
      const v = indices[i];
      if (!v) continue;
      const edge = (x > 0 && indices[i - 1] !== v) || (x < columns - 1 && indices[i + 1] !== v) ||
        (y > 0 && indices[i - columns] !== v) || (y < rows - 1 && indices[i + columns] !== v);
      if (edge) out[i] = table[v];
    }
  }
}

function element(tag, classes = "", properties = {}, ...children) {
  const node = document.createElement(tag);
  if (classes) node.className = classes;
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
