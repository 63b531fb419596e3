// What stands around the picture: axis, contrast, layers, slider, readout, help. Knows no kernel: it calls the view.

const ICONS = {
  fit: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  layers: "M8 2 14.5 5.5 8 9 1.5 5.5zM1.5 8.6 8 12.1l6.5-3.5M1.5 11.4 8 14.9l6.5-3.5",
  auto: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
  help: "M6 6.2a2 2 0 1 1 2.8 1.9c-.6.3-.8.7-.8 1.4M8 11.8v.2M8 1.6a6.4 6.4 0 1 0 0 12.8A6.4 6.4 0 0 0 8 1.6z",
  eye: "M1.5 8S4 3.6 8 3.6 14.5 8 14.5 8 12 12.4 8 12.4 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  outline: "M3 3h10v10H3z",
  up: "M8 13V3M4 7l4-4 4 4",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  three: "M1.8 1.8h7.4v7.4H1.8zM11.6 1.8h2.6v7.4h-2.6zM1.8 11.6h7.4v2.6H1.8z",
  go: "M8 1.5v3M8 11.5v3M1.5 8h3M11.5 8h3M8 4.8a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4z",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function iconButton(name, title, action) {
  const button = element("button", "vl-button", { type: "button", title, ariaLabel: title }, icon(name));
  button.addEventListener("click", action);
  return button;
}

function press(button, on) { // pressed or not, to see and to hear
  button.classList.toggle("vl-on", on);
  button.setAttribute("aria-pressed", String(on));
}

class Controls {
  constructor(view) {
    this.view = view;
    this.axes = element("div", "vl-segments", { role: "group", ariaLabel: "Plane" });
    for (const [axis, text] of [["z", "xy"], ["y", "xz"], ["x", "yz"]]) {
      const button = element("button", "", { type: "button", title: `Planes across ${axis} (V)` }, text);
      button.dataset.axis = axis;
      button.addEventListener("click", () => view.setAxis(axis));
      this.axes.append(button);
    }
    this.three = iconButton("three", "All three planes, joined by a crosshair (Shift drag moves it)",
      () => view.send({ kind: "action", name: "planes", point: view.center() }));
    this.contrast = new ContrastControl(view);
    this.go = element("input", "vl-go", { type: "text", spellcheck: false });
    this.go.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { if (view.goTo(this.go.value)) this.leaveGo(); else this.go.classList.add("vl-wrong"); }
      else if (event.key === "Escape") this.leaveGo();
      else this.go.classList.remove("vl-wrong");
    });
    this.layersButton = iconButton("layers", "Layers", () => this.toggle(this.layersBox));
    this.layersBox = element("div", "vl-popover vl-layers");
    this.moreButton = iconButton("more", "More", () => this.toggle(this.moreBox));
    this.moreButton.classList.add("vl-more");
    this.moreBox = element("div", "vl-popover vl-more-box");
    this.helpBox = element("dialog", "vl-help", { ariaLabel: "Keys" });
    this.helpBox.addEventListener("close", () => this.toggle(this.helpBox, false));
    this.helpBox.addEventListener("click", () => this.toggle(this.helpBox, false));
    this.helpButton = iconButton("help", "Keys (?)", () => this.toggle(this.helpBox));
    this.zoom = element("button", "vl-button vl-zoom", { type: "button" });
    this.zoom.addEventListener("click", () => view.oneToOne());
    this.zoom.title = "Zoom; click for one voxel on one screen pixel (*)";
    this.name = element("b", "vl-name");
    this.top = element("div", "vl-bar", {}, this.name, this.axes, this.three, this.contrast.node, element("span", "vl-space"), this.go,
      this.zoom, iconButton("fit", "Fit the plane into the view (F)", () => view.fit()), this.layersButton,
      this.helpButton, this.moreButton);
    this.opening = new Map([[this.layersButton, this.layersBox], [this.moreButton, this.moreBox], [this.helpButton, this.helpBox]]);
    this.folding = [this.contrast.text, this.go, this.contrast.node, this.zoom, this.axes]; // the first goes first
    this.places = this.folding.map((node) => ({ node, parent: node.parentNode, before: node.nextSibling }));
    this.slider = element("input", "vl-slider", { type: "range", min: 0, step: 1, ariaLabel: "Plane" });
    this.slider.addEventListener("input", () => view.setIndex(+this.slider.value));
    this.slider.addEventListener("keydown", (event) => event.stopPropagation());
    this.where = element("span", "vl-where");
    this.readout = element("span", "vl-readout");
    this.bottom = element("div", "vl-bar vl-bottom", {}, this.where, this.slider, this.readout);
    this.scale = element("div", "vl-scale", {}, element("i"), element("span"));
    this.toast = element("div", "vl-toast", { role: "status" });
  }

  // What the bar has no room for goes into a menu.
  fold() {
    for (const { node, parent, before } of [...this.places].reverse()) parent.insertBefore(node, before);
    const isFull = () => this.top.scrollWidth > this.top.clientWidth;
    const shown = this.folding.filter((node) => node.getClientRects().length);
    this.moreButton.classList.add("vl-gone");
    for (const node of shown) {
      if (!isFull()) break;
      this.moreButton.classList.remove("vl-gone");
      this.moreBox.append(node);
    }
    if (!this.moreBox.children.length) this.moreBox.classList.remove("vl-open");
  }

  leaveGo() {
    this.go.classList.remove("vl-wrong");
    this.go.value = "";
    this.view.stage.focus({ preventScroll: true });
  }

  toggle(box, open = !box.classList.contains("vl-open")) {
    for (const other of this.boxes) other.classList.toggle("vl-open", other === box && open);
    if (open && box === this.layersBox) this.buildLayers();
    if (open && box === this.helpBox) this.buildHelp();
    const shows = this.helpBox.classList.contains("vl-open");
    if (shows !== this.helpBox.open) shows ? this.helpBox.showModal() : this.helpBox.close();
    for (const [button, of] of this.opening) button.setAttribute("aria-expanded", String(of.classList.contains("vl-open")));
  }

  get boxes() { return [this.layersBox, this.moreBox, this.helpBox]; }

  get isOpen() { return !!this.view.root.querySelector(".vl-open"); }

  closeAll() { this.toggle(this.helpBox, false); }

  update() {
    const { view } = this;
    const plane = view.plane(view.axis);
    for (const button of this.axes.children) press(button, button.dataset.axis === view.axis);
    const flat = view.geometry.shape[0] === 1 || view.geometry.frames;
    this.axes.classList.toggle("vl-gone", flat || view.model.get("compact"));
    this.three.classList.toggle("vl-gone", flat || !view.model.get("linked"));
    this.name.textContent = { z: "xy", y: "xz", x: "yz" }[view.axis];
    this.name.classList.toggle("vl-gone", !view.model.get("compact"));
    press(this.three, view.model.get("linked") === "on");
    this.slider.max = plane.depth - 1;
    this.slider.value = view.index;
    this.slider.disabled = plane.depth < 2;
    this.bottom.classList.toggle("vl-single", plane.depth < 2);
    const { frames } = view.geometry;
    this.where.textContent = `${frames ? "frame" : plane.axis} ${view.index} / ${plane.depth - 1}`;
    this.slider.ariaLabel = frames ? "Frame" : "Plane";
    const [one, first] = frames ? ["a frame", "frame"] : ["a plane", "z"];
    this.go.placeholder = `go to ${first}, y, x`;
    this.go.title = `Go to a voxel: one number is ${one}, three are ${first}, y, x; with µm or nm they are lengths (J)`;
    view.stage.ariaLabel = `Picture: ${view.planeWords}. Left or right arrow begins a cursor, question mark lists the keys.`;
    view.cursor.tellSoon();
    this.where.title = frames ? "" : length(view.index * plane.step);
    this.updateScale();
  }

  updateScale() {
    const { view } = this;
    const plane = view.plane(view.axis);
    const perVoxel = view.camera.zoom * Math.min(plane.sy, plane.sx);
    this.zoom.textContent = perVoxel >= 10 ? `${Math.round(perVoxel)}×` : `${(perVoxel * 100).toPrecision(2) * 1} %`;
    const bar = niceLength(110 / view.camera.zoom);
    this.scale.firstChild.style.width = `${bar * view.camera.zoom}px`;
    this.scale.lastChild.textContent = length(bar);
  }

  say(text, lasting = false) {
    this.toast.textContent = text;
    this.toast.classList.toggle("vl-open-toast", !!text);
    clearTimeout(this.toastTimer);
    if (text && !lasting) this.toastTimer = setTimeout(() => this.say(""), 4000);
  }

  buildLayers() {
    const { view } = this;
    const rows = [];
    const picture = view.model.get("picture");
    rows.push(this.layerRow({ id: "", name: "Image", ...picture }, false));
    for (const layer of view.model.get("layers")) rows.unshift(this.layerRow(layer, layer.kind !== "scalar"));
    this.layersBox.replaceChildren(...rows);
  }

  layerRow(layer, canOutline) {
    const { view } = this;
    const change = (patch) => { Object.assign(layer, patch); view.setLayer(layer.id, patch); mark(); };
    const eye = iconButton("eye", `Show ${layer.name}`, () => change({ visible: !layer.visible }));
    const opacity = element("input", "", { type: "range", min: 0, max: 1, step: 0.02, value: layer.opacity ?? 1, title: "Opacity", ariaLabel: `Opacity of ${layer.name}` });
    opacity.addEventListener("input", () => change({ opacity: +opacity.value }));
    const outline = iconButton("outline", `Outlines of ${layer.name} only`, () => change({ outline: !layer.outline }));
    const mark = () => { press(eye, layer.visible); press(outline, !!layer.outline); };
    if (!canOutline) outline.style.visibility = "hidden";
    const up = iconButton("up", `Draw ${layer.name} above the next`, () => { view.raiseLayer(layer.id); this.buildLayers(); });
    const top = view.model.get("layers").at(-1)?.id;
    if (!layer.id || layer.id === top) up.style.visibility = "hidden";
    mark();
    return element("div", "vl-layer", {}, eye, element("span", "", { title: layer.name }, layer.name), opacity, outline, up);
  }

  buildHelp() {
    const groups = new Map();
    for (const key of [...this.view.keys, ...CURSOR_KEYS, ...MOUSE]) {
      if (!key.label) continue;
      if (!groups.has(key.group)) groups.set(key.group, []);
      groups.get(key.group).push(key);
    }
    const columns = [...groups].map(([name, keys]) => element("section", "", {}, element("h4", "", {}, name),
      ...keys.map((key) => element("div", "", {}, element("kbd", "", {}, key.shown ?? keyName(key.key)), element("span", "", {}, key.label)))));
    this.helpBox.replaceChildren(element("div", "vl-help-sheet", {}, ...columns));
  }
}

function keyName(key) {
  const names = { arrowup: "↑", arrowdown: "↓", pageup: "PgUp", pagedown: "PgDn", escape: "Esc", ctrl: "Ctrl", shift: "Shift",
    alt: "Alt", enter: "Enter", backspace: "⌫", home: "Home", end: "End" };
  if (key === " ") return "Space";
  return key.length === 1 ? key.toUpperCase() : key.split("+").map((part) => names[part] ?? part.toUpperCase()).join(" ");
}

const MOUSE = [
  { group: "Look around", shown: "Wheel", label: "next plane (Shift: ten)" },
  { group: "Look around", shown: "Ctrl Wheel", label: "zoom at the pointer" },
  { group: "Look around", shown: "Shift Drag", label: "move the crosshair" },
  { group: "Look around", shown: "Space Drag", label: "pan (or middle button)" },
  { group: "Look around", shown: "Double click", label: "fit the plane (no tool in hand)" },
];

class ContrastControl {
  constructor(view) {
    this.view = view;
    this.canvas = element("canvas", "vl-histogram");
    const handle = (label) => element("input", "", { type: "range", min: 0, max: 1000, step: 1, ariaLabel: label, title: label });
    this.low = handle("Black"), this.high = handle("White");
    for (const input of [this.low, this.high]) {
      input.addEventListener("input", () => this.changed(input));
      input.addEventListener("keydown", (event) => event.stopPropagation());
    }
    this.box = element("div", "vl-contrast", { title: "Contrast: what is black, what is white (double click: automatic)" },
      this.canvas, this.low, this.high);
    this.box.addEventListener("dblclick", () => view.autoContrast());
    this.channel = element("select", "vl-channel", { title: "Channel" });
    this.channel.addEventListener("change", () => { view.setChannels(this.channel.value); this.update(); });
    this.text = element("span", "vl-limits");
    this.node = element("div", "vl-contrast-row", {}, this.channel, this.box,
      iconButton("auto", "Automatic contrast from this plane (A)", () => view.autoContrast()), this.text);
  }

  get current() {
    const state = this.view.model.get("contrast");
    const shown = this.view.model.get("picture").channels;
    return { state, channels: shown, first: state[shown[0]] ?? state[0] };
  }

  changed(input) {
    const { state, channels, first } = this.current;
    let low = this.low.value / 1000, high = this.high.value / 1000;
    if (low >= high) { if (input === this.low) low = high - 0.001; else high = low + 0.001; }
    this.view.setContrast(state.map((one, channel) => {
      if (!channels.includes(channel)) return one;
      return { ...one, limits: [intensityAt(one, low), intensityAt(one, high)] }; // each channel within its own range
    }));
    this.update();
  }

  update() {
    const { state, channels, first } = this.current;
    if (!first) return;
    const [low, high] = first.limits;
    const place = (value) => Math.round(placeOf(first, value) * 1000);
    if (document.activeElement !== this.low || +this.low.value !== place(low)) this.low.value = place(low);
    if (document.activeElement !== this.high || +this.high.value !== place(high)) this.high.value = place(high);
    this.text.textContent = `${short(low)} – ${short(high)}`;
    const names = this.view.geometry.channels;
    this.channel.classList.toggle("vl-gone", names.length < 2);
    const wanted = ["all", ...names.keys()].map(String).join();
    if (this.channel.dataset.for !== wanted) {
      this.channel.replaceChildren(element("option", "", { value: "all" }, "all channels"),
        ...names.map((name, i) => element("option", "", { value: String(i) }, name)));
      this.channel.dataset.for = wanted;
    }
    this.channel.value = channels.length === 1 && names.length > 1 ? String(channels[0]) : "all";
    this.drawHistogram(first, place(low) / 1000, place(high) / 1000);
  }

  drawHistogram(one, low, high) {
    const ratio = window.devicePixelRatio || 1, width = this.box.clientWidth, height = this.box.clientHeight;
    if (!width) return;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(this.box);
    const counts = one.histogram.map((n) => Math.sqrt(n)), peak = Math.max(1, ...counts); // root: rare values stay visible
    const step = this.canvas.width / counts.length;
    counts.forEach((count, i) => {
      const at = i / counts.length;
      pen.fillStyle = at >= low && at <= high ? style.getPropertyValue("--vl-accent") : style.getPropertyValue("--vl-edge");
      const tall = (count / peak) * (this.canvas.height - 2);
      pen.fillRect(i * step, this.canvas.height - tall, Math.ceil(step), tall);
    });
  }
}

// The control: most of it for the fine part, a tenth for each end where intensities reach far beyond (frames.py).
const COARSE_END = 0.1;

function controlPoints(one) {
  const [bottom, top] = one.range, [low, high] = one.fine ?? one.range;
  const from = bottom < low ? COARSE_END : 0, to = top > high ? 1 - COARSE_END : 1;
  return [...(from ? [[0, bottom]] : []), [from, low], [to, high], ...(to < 1 ? [[1, top]] : [])];
}

function interpolate(points, value, from, to) {
  const next = points.findIndex((point, i) => i > 0 && value <= point[from]);
  const last = next < 0 ? points.length - 1 : next, [a, b] = [points[last - 1], points[last]];
  const share = (value - a[from]) / (b[from] - a[from] || 1);
  return a[to] + share * (b[to] - a[to]);
}

const intensityAt = (one, place) => interpolate(controlPoints(one), place, 0, 1);
const placeOf = (one, value) => Math.max(0, Math.min(1, interpolate(controlPoints(one), value, 1, 0)));

function short(value) {
  return Math.abs(value) >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toPrecision(3);
}

// The nearest length of 1, 2 or 5 times a power of ten below `most` micrometres.
function niceLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].map((n) => n * power).find((n) => n <= most);
}

function length(um) {
  const size = Math.abs(um);
  const [factor, unit] = size >= 1000 ? [1e-3, "mm"] : size >= 1 ? [1, "µm"] : size > 0 ? [1e3, "nm"] : [1, "µm"];
  return `${Number((um * factor).toPrecision(4))} ${unit}`;
}
