// The plane view: one plane of a volume on stacked canvases, its camera, and its conversation with the kernel.
// Joined into one module after the other plane_*.js.

const MARGIN = 0.15; // of the window on each side, once at rest: a small pan then shows no empty edge
const NARROW = 0.03; // while planes are turned, when every pixel costs time
const REST_MS = 300;
const SILENT_MS = 5000; // no answer for so long: ask again

class PlaneViewer extends Eye {
  constructor(model, root) {
    super(model.get("geometry"));
    this.model = model;
    this.root = root;
    this.id = Math.random().toString(36).slice(2, 10);
    this.axis = model.get("axis");
    this.index = model.get("index");
    this.shown = { axis: this.axis, index: -1 };
    this.picture = null; // {bitmap, axis, index, box, pixel_um}
    this.layers = new Map();
    this.number = 0;
    this.waiting = null; // the one request under way
    this.wants = { picture: true, layers: new Set() };
    this.pointer = null;
    this.probing = null;
    this.disposers = [];
    this.build();
    this.connect();
  }

  // ------------------------------------------------------------------------------------------------ construction

  build() {
    this.stage = element("div", "vl-stage", { tabIndex: 0, role: "application", ariaLabel: "Plane view" });
    this.stage.dataset.view = this.id;
    this.canvas = element("canvas", "vl-canvas vl-picture");
    this.stack = element("div", "vl-stack");
    this.hosted = element("div", "vl-hosted");
    this.cross = [element("div", "vl-cross vl-across"), element("div", "vl-cross vl-down")];
    this.ring = element("div", "vl-ring");
    this.controls = new Controls(this);
    this.stage.append(this.canvas, this.stack, this.hosted, ...this.cross, this.ring, this.controls.scale, this.controls.toast);
    const frame = element("div", "vl-frame", {}, this.stage, this.controls.layersBox, this.controls.helpBox);
    this.root.classList.add("vl-view");
    this.root.replaceChildren(this.controls.top, frame, this.controls.bottom);
    this.ink = new Ink(this);
    this.keyboard = new Keyboard(this);
    this.hand = new Hand(this);
  }

  connect() {
    const { model } = this;
    const on = (name, handler) => { model.on(name, handler); this.disposers.push(() => model.off(name, handler)); };
    on("change:geometry", () => { this.geometry = model.get("geometry"); this.cameras = {}; this.ask(true); });
    on("change:axis", () => this.follow());
    on("change:index", () => this.follow());
    on("change:contrast", () => { this.controls.contrast.update(); this.ask(true, false); });
    on("change:picture", () => { this.styleLayers(); this.controls.contrast.update(); this.ask(true, false); });
    on("change:layers", () => { this.styleLayers(); this.pump(); });
    on("change:camera", () => { this.restored = false; this.restoreCamera(); if (this.width) this.moved(); });
    on("change:tool", () => this.hand.updateRing());
    on("change:cursor", () => this.placeCross());
    on("change:camera", () => this.takeCamera());
    on("change:linked", () => this.controls.update());
    on("change:height", () => this.styleHeight());
    on("change:compact", () => this.styleHeight());
    on("change:overlay_box", () => this.placeHosted());
    on("change:overlay", () => this.hostOverlay());
    on("msg:custom", (message, buffers) => this.receive(message, buffers));
    const resize = new ResizeObserver(() => this.resize());
    resize.observe(this.stage);
    this.watchRatio();
    const theme = new MutationObserver(() => this.controls.contrast.update());
    theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
    this.pulse = setInterval(() => this.check(), 1000);
    this.disposers.push(() => resize.disconnect(), () => theme.disconnect(), () => clearInterval(this.pulse));
    this.styleHeight();
    this.styleLayers();
    this.controls.contrast.update();
    this.hostOverlay();
  }

  close() {
    this.closed = true;
    for (const dispose of this.disposers) dispose();
    this.ink.close();
    this.keyboard.close();
  }

  watchRatio() { // a window dragged to another screen, or browser zoom
    const query = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    const changed = () => { if (!this.closed) { this.resize(); this.watchRatio(); } };
    query.addEventListener("change", changed, { once: true });
  }

  async hostOverlay() {
    const reference = this.model.get("overlay");
    if (!reference || !this.model.widget_manager) return;
    const manager = this.model.widget_manager;
    const canvas = await manager.get_model(reference.replace("IPY_MODEL_", ""));
    const view = await manager.create_view(canvas, {});
    if (this.closed) return view.remove();
    this.hosted.replaceChildren(view.el);
    view.trigger?.("displayed");
    this.disposers.push(() => view.remove());
    this.placeHosted();
  }

  styleHeight() {
    this.root.style.setProperty("--vl-height", `${this.model.get("height")}px`);
    this.root.classList.toggle("vl-compact", this.model.get("compact"));
  }

  styleLayers() {
    const states = this.model.get("layers");
    const wanted = new Set(states.map((state) => state.id));
    for (const [id, layer] of this.layers) {
      if (!wanted.has(id)) { layer.canvas.remove(); layer.hatch.remove(); this.layers.delete(id); }
    }
    for (const state of states) {
      const known = this.layers.get(state.id);
      if (known) known.configure(state);
      else {
        this.layers.set(state.id, new LayerView(state));
        this.wants.layers.add(state.id);
      }
      const layer = this.layers.get(state.id);
      this.stack.append(layer.canvas, layer.hatch);
    }
    const picture = this.model.get("picture");
    this.canvas.style.opacity = picture.visible ? picture.opacity : 0;
    this.sizeCanvases();
    this.redraw();
  }

  // ------------------------------------------------------------------------------------------------------- camera

  resize() {
    const width = this.stage.clientWidth, height = this.stage.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width || !height || (width === this.width && height === this.height && ratio === this.ratio)) return;
    Object.assign(this, { width, height, ratio });
    for (const [axis, camera] of Object.entries(this.cameras)) if (camera.fit) delete this.cameras[axis];
    this.restoreCamera();
    this.sizeCanvases();
    this.controls.contrast.update();
    this.moved();
    this.draw();
  }

  restoreCamera() { // after a reload or a re-run the view opens where it was left
    const saved = this.model.get("camera");
    if (this.restored || !saved) return;
    this.restored = true;
    if (saved.axis && !saved.fit) this.cameras[saved.axis] = { ...saved };
  }

  takeCamera() { // the kernel says where to look; what the page itself did is never sent back here
    const saved = this.model.get("camera");
    if (saved?.fit) delete this.cameras[saved.axis];
    this.restored = false;
    this.restoreCamera();
    if (this.width) this.moved();
  }

  sizeCanvases() {
    const width = Math.round(this.width * this.ratio), height = Math.round(this.height * this.ratio);
    const all = [this.canvas, ...[...this.layers.values()].flatMap((layer) => [layer.canvas, layer.hatch])];
    for (const canvas of all) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
  }

  zoomAt(factor, x = this.width / 2, y = this.height / 2) {
    this.magnify(this.axis, factor, x, y);
    this.moved();
  }

  pan(dx, dy) {
    const camera = this.camera;
    camera.x -= dx / camera.zoom;
    camera.y -= dy / camera.zoom;
    camera.fit = false;
    this.moved();
  }

  fit() {
    this.cameras[this.axis] = this.fitted(this.axis);
    this.moved();
  }

  oneToOne() {
    const { sy, sx } = this.plane(this.axis);
    Object.assign(this.camera, { zoom: 1 / this.ratio / Math.min(sy, sx), fit: false });
    this.moved();
  }

  moved() {
    const { rows, columns, sy, sx } = this.plane(this.axis), camera = this.camera;
    camera.x = Math.max(0, Math.min(columns * sx, camera.x)); // the plane never leaves the view altogether
    camera.y = Math.max(0, Math.min(rows * sy, camera.y));
    this.redraw();
    this.controls.update();
    this.hand.updateRing();
    const now = this.window(), have = this.picture;
    const covered = have && have.axis === this.axis && now[0] >= have.box[0] - 1 && now[1] >= have.box[1] - 1 &&
      now[2] <= have.box[2] + 1 && now[3] <= have.box[3] + 1;
    clearTimeout(this.settling);
    if (!covered) this.ask(true);
    this.settling = setTimeout(() => {
      if (this.closed) return;
      if (!this.picture || Math.abs(this.pixel() / this.picture.pixel_um - 1) > 0.01) this.ask(true);
      this.send({ kind: "camera", camera: { axis: this.axis, ...this.camera }, box: this.window(), width: this.width, height: this.height });
    }, 120);
  }

  // -------------------------------------------------------------------------------------------------------- state

  follow() { // the model's plane changed: by another view of it, by Python, or by this one
    const turned = this.axis !== this.model.get("axis");
    this.axis = this.model.get("axis");
    this.index = this.model.get("index");
    this.controls.update();
    if (turned) this.moved();
    this.ask(true);
  }

  setIndex(index) {
    const { depth } = this.plane(this.axis);
    const next = Math.max(0, Math.min(depth - 1, Math.round(index)));
    if (next === this.index || this.ink.active) return;
    this.model.set("index", next); // every view of this model follows; the kernel learns it with the request
  }

  setAxis(axis) {
    if (axis === this.axis || this.ink.active) return;
    const { a } = this.plane(axis);
    const here = this.center();
    this.model.set({ axis, index: Math.max(0, Math.min(this.geometry.shape[a] - 1, Math.round(here[a]))) });
    this.controls.update();
  }

  center() { // zyx voxel in the middle of the view, or under the pointer
    const at = this.pointer ?? { x: this.width / 2, y: this.height / 2 };
    const { a, r, c } = this.plane(this.axis), [row, column] = this.toVoxel(at.x, at.y, this.axis);
    const point = [0, 0, 0];
    point[a] = this.index; point[r] = row; point[c] = column;
    return point;
  }

  setContrast(contrast) {
    this.model.set("contrast", contrast);
    this.send({ kind: "contrast", limits: contrast.map((one) => one.limits) });
  }

  autoContrast() { this.send({ kind: "auto_contrast" }); }

  setChannels(which) {
    const channels = which === "all" ? this.geometry.channels.map((_, i) => i) : [+which];
    this.setLayer("", { channels });
  }

  setLayer(id, patch) {
    if (id === "") this.model.set("picture", { ...this.model.get("picture"), ...patch });
    else this.model.set("layers", this.model.get("layers").map((layer) => (layer.id === id ? { ...layer, ...patch } : layer)));
    this.send({ kind: "layer", id, patch });
  }

  setTool(patch) {
    this.model.set("tool", { ...this.model.get("tool"), ...patch });
    this.send({ kind: "tool", patch });
  }

  goTo(text) {
    const found = [...text.matchAll(/(-?\d+(?:\.\d+)?)\s*(nm|µm|um|mm)?/g)];
    if (![1, 2, 3].includes(found.length) || text.replace(/(-?\d+(?:\.\d+)?)\s*(nm|µm|um|mm)?/g, "").replace(/[\s,;zyx=:()]/g, "")) return false;
    const { a, r, c } = this.plane(this.axis);
    const order = found.length === 1 ? [a] : found.length === 2 ? [r, c] : [0, 1, 2];
    const common = found.at(-1)[2];
    const point = this.center();
    found.forEach((part, i) => {
      const unit = { nm: 1e-3, um: 1, "µm": 1, mm: 1e3 }[part[2] ?? common];
      point[order[i]] = unit ? (part[1] * unit) / this.geometry.spacing[order[i]] : +part[1];
    });
    return this.showPoint(point);
  }

  showPoint(point, zoomIn = false) {
    const { a, r, c, sy, sx } = this.plane(this.axis);
    if (point.some((value, i) => value < -0.5 || value > this.geometry.shape[i] - 0.5)) return false;
    const camera = this.camera, y = (point[r] + 0.5) * sy, x = (point[c] + 0.5) * sx;
    const zoom = zoomIn ? Math.max(camera.zoom, 3 / this.ratio / Math.min(sy, sx)) : camera.zoom;
    const inside = Math.abs(y - camera.y) * zoom < 0.45 * this.height && Math.abs(x - camera.x) * zoom < 0.45 * this.width;
    if (!inside || zoom !== camera.zoom) Object.assign(camera, { y, x, zoom, fit: false }); // what is in sight stays put
    this.setIndex(point[a]);
    this.moved();
    this.flash = point;
    this.placeCross();
    clearTimeout(this.flashing);
    this.flashing = setTimeout(() => { this.flash = null; this.placeCross(); }, 1600);
    return true;
  }

  setCursor(point) {
    this.model.set("cursor", point);
    this.send({ kind: "cursor", point });
  }

  get keys() { return [...this.keyboard.builtIn, ...this.model.get("bindings")]; }

  // ----------------------------------------------------------------------------------------------- conversation

  send(message, buffers = []) {
    this.model.send({ view: this.id, ...message }, undefined, buffers);
  }

  ask(picture, layers = true) {
    if (picture) this.wants.picture = true;
    if (layers) for (const id of this.layers.keys()) this.wants.layers.add(id);
    this.pump();
  }

  // One request under way; what is wanted meanwhile is asked for with the next, of the newest plane.
  pump() {
    const layers = [...this.wants.layers].filter((id) => this.layers.get(id)?.state.visible);
    if (this.waiting || this.closed || !this.width || (!this.wants.picture && !layers.length)) return;
    if (this.ink.active && this.ink.active.shape === "brush" && this.shown.index !== this.index) return;
    const request = { kind: "frame", number: ++this.number, axis: this.axis, index: this.index, box: this.window(this.wide ? MARGIN : NARROW),
      pixel_um: this.pixel(), picture: this.wants.picture, layers };
    this.wide = this.wants.picture = false;
    for (const id of layers) this.wants.layers.delete(id); // what is hidden stays wanted until it is shown
    this.waiting = { ...request, since: performance.now() };
    this.send(request);
  }

  check() { // once a second: ask again where no answer came, say so where the kernel is silent
    const late = this.waiting && performance.now() - this.waiting.since > SILENT_MS;
    if (late) {
      this.silent = true;
      this.controls.say("No answer from the kernel yet; asking again", true);
      if (this.waiting.picture) this.wants.picture = true;
      for (const id of this.waiting.layers) this.wants.layers.add(id);
      this.waiting = null;
      this.pump();
    }
  }

  async receive(message, buffers) {
    if (message.kind === "stale") return this.stale(message);
    if (message.kind === "goto") return this.showPoint(message.point, message.zoom_in);
    if (message.kind === "say") return this.controls.say(message.text);
    if (message.kind === "ack") return this.ink.acknowledged(message);
    if (message.view !== this.id) return;
    if (message.kind === "frame") await this.take(message, buffers);
    else if (message.kind === "probe") this.showProbe(message);
  }

  stale(message) {
    for (const id of message.layers) {
      const layer = this.layers.get(id);
      if (layer) this.wants.layers.add(id);
    }
    if (message.picture) this.wants.picture = true;
    this.pump();
  }

  async take(message, buffers) {
    const asked = this.waiting;
    if (!asked || message.number !== asked.number) return;
    this.waiting = null;
    if (this.silent) { this.silent = false; this.controls.say(""); }
    this.pump();
    if (message.error) return this.controls.say(message.error, true);
    const parts = await this.decode(message, buffers);
    if (this.closed) return;
    const active = this.ink.active;
    if (active && (active.axis !== message.axis || active.index !== message.index)) return this.ask(true); // what is painted on stays
    if (this.latest > message.number) return;
    this.latest = message.number;
    if (parts.picture) {
      this.picture?.bitmap.close();
      this.picture = parts.picture;
    }
    this.shown = { axis: message.axis, index: message.index };
    for (const data of parts.layers) {
      this.layers.get(data.id)?.take(data);
      this.ink.arrived(data.id, data.axis, data.index, data.sequence);
    }
    this.draw();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.widen(), REST_MS);
    this.stage.dataset.frame = message.number;
    this.stage.dataset.axis = message.axis;
    this.stage.dataset.index = message.index;
    this.probe();
  }

  widen() { // nothing happened for a while: fetch what lies around the window
    const want = this.window(MARGIN), have = this.picture?.box;
    if (this.closed || !have || this.ink.active || [0, 1].every((i) => have[i] <= want[i] + 1 && have[i + 2] >= want[i + 2] - 1)) return;
    this.wide = true;
    this.ask(true);
  }

  async decode(message, buffers) {
    const { axis, index } = message;
    const waiting = message.layers.map(async (layer) => {
      const indices = await inflate(buffers[layer.buffer]);
      const alpha = layer.alpha_buffer === null ? null : await inflate(buffers[layer.alpha_buffer]);
      return { ...layer, indices, alpha, axis, index };
    });
    let picture = null;
    if (message.picture) {
      const { box, pixel_um, buffer } = message.picture;
      const bitmap = await createImageBitmap(new Blob([buffers[buffer]], { type: "image/jpeg" }));
      picture = { bitmap, axis, index, box, pixel_um };
    }
    return { picture, layers: await Promise.all(waiting) };
  }

  // ------------------------------------------------------------------------------------------------------ drawing

  redraw() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => { this.drawing = 0; if (!this.closed) this.draw(); });
  }

  draw() {
    if (!this.width) return;
    const ctx = this.canvas.getContext("2d");
    ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const picture = this.picture;
    if (picture && picture.axis === this.shown.axis && picture.index === this.shown.index) {
      const r = this.rectangle(picture.axis, picture.box);
      ctx.imageSmoothingEnabled = this.model.get("picture").smooth || r.width < picture.bitmap.width * 1.5;
      ctx.imageSmoothingQuality = "low"; // frames are at most twice the screen; better ones cost ten times as much
      ctx.drawImage(picture.bitmap, r.x, r.y, r.width, r.height);
    }
    for (const [id, layer] of this.layers) layer.draw(this, this.ink.of(id));
    this.placeCross();
    this.placeHosted();
  }

  placeCross() {
    const point = this.flash ?? this.model.get("cursor");
    for (const line of this.cross) line.style.display = point ? "block" : "none";
    if (!point) return;
    const { r, c } = this.plane(this.axis);
    const [x, y] = this.toDevice(this.axis, point[r] + 0.5, point[c] + 0.5);
    this.cross[0].style.transform = `translateY(${y / this.ratio}px)`;
    this.cross[1].style.transform = `translateX(${x / this.ratio}px)`;
  }

  placeHosted() { // the hosted canvas shows one box of one plane: it is moved and scaled with the camera
    const at = this.model.get("overlay_box");
    const fits = at && at.axis === this.shown.axis && at.index === this.shown.index;
    this.hosted.style.display = fits ? "" : "none";
    if (!fits) return;
    const r = this.rectangle(at.axis, at.box);
    const style = { left: r.x, top: r.y, width: r.width, height: r.height };
    for (const [name, value] of Object.entries(style)) this.hosted.style[name] = `${value / this.ratio}px`;
  }

  // -------------------------------------------------------------------------------------------------- readout

  probe() {
    if (!this.pointer || this.shown.index < 0) return;
    const { rows, columns } = this.plane(this.shown.axis);
    const [row, column] = this.toVoxel(this.pointer.x, this.pointer.y).map(Math.round);
    if (row < 0 || column < 0 || row >= rows || column >= columns) return this.clearProbe();
    if (this.probing) { this.probeAgain = true; return; }
    this.probing = setTimeout(() => { this.probing = null; }, 1000);
    this.send({ kind: "probe", axis: this.shown.axis, index: this.shown.index, row, column });
  }

  showProbe(message) {
    clearTimeout(this.probing);
    this.probing = null;
    if (this.pointer) {
      const [z, y, x] = message.point, [uz, uy, ux] = message.point_um;
      const labels = message.labels.filter((one, i, all) => all.findIndex((other) => other.name === one.name) === i);
      this.controls.readout.replaceChildren(
        element("b", "", {}, message.value), " ", ...labels.map(({ name, color }) =>
          element("span", "vl-probe-label", { style: `--c:${color}` }, name)),
        element("span", "vl-dim", {}, ` z ${z}  y ${y}  x ${x}`));
      this.controls.readout.title = `${length(uz)}, ${length(uy)}, ${length(ux)} (z, y, x)`;
    }
    if (this.probeAgain) { this.probeAgain = false; this.probe(); }
  }

  clearProbe() { this.controls.readout.textContent = ""; }
}

function render({ model, el }) {
  const view = new PlaneViewer(model, el);
  return () => view.close();
}

export default { render };
