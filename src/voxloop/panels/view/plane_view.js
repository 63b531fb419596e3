// The plane view: one plane of a volume on stacked canvases, its camera, and its conversation with the kernel.
// Joined into one module after the other plane_*.js.

const REST = { margin: 0.15, fine: true }; // a small pan then shows no empty edge, and a close look no blocks
const TURNING = { margin: 0.03, fine: false }; // when every pixel and every byte costs time
const REST_MS = 300;
const SETTLE_MS = 120; // after the last move of the camera: only now is another resolution asked for
const SILENT_MS = 5000; // no answer for so long: ask again
const AHEAD = [1, 2, -1, 3, 4]; // planes fetched ahead, in steps of the last turn
const FAR = 10; // a turn of more planes is a jump: no telling what comes next
const QUIET_MS = 400; // nothing is fetched ahead so soon after a jump or a change of what is shown
const STAGGER_MS = 50; // a second request for what is on screen goes out so long after the first, no third
const SLOW_MS = 150; // work that takes longer is the only one under way ahead; a long way alone is filled with more
const VEIL_MS = 250; // a plane that takes longer is waited for
const FAR_AHEAD = 4; // requests under way ahead where the kernel is far
const LACKING_MS = 5000; // a plane whose server gives no answer is asked for again
const TELL_MS = 80; // the kernel hears of planes that needed no request at most so often

class PlaneViewer extends Eye {
  constructor(model, root) {
    super(model.get("geometry"));
    this.model = model;
    this.root = root;
    this.id = Math.random().toString(36).slice(2, 10);
    livingViews().add(this.id);
    this.axis = model.get("axis");
    this.index = model.get("index");
    this.shown = { axis: this.axis, index: -1 };
    this.frames = new Frames();
    this.layers = new Map();
    this.number = 0;
    this.waiting = new Map(); // requests under way, by number: those for what is on screen, and ahead of it
    this.stride = 1;
    this.most = 2; // requests under way ahead
    this.quiet = 0; // nothing is fetched ahead before this time
    this.told = `${this.axis}${this.index}`; // the plane that the kernel knows of
    this.pointer = null;
    this.probing = null;
    this.disposers = [];
    this.build();
    this.connect();
  }

  // ------------------------------------------------------------------------------------------------ construction

  build() {
    this.stage = element("div", "vl-stage", { tabIndex: 0, role: "application" });
    this.cursor = new Cursor(this);
    this.stage.dataset.view = this.id;
    this.canvas = element("canvas", "vl-canvas vl-picture");
    this.stack = element("div", "vl-stack");
    this.sketch = element("canvas", "vl-canvas vl-sketch");
    this.hosted = element("div", "vl-hosted", { inert: true }); // its canvas would take the focus, and keep Tab for itself
    this.cross = [element("div", "vl-cross vl-across"), element("div", "vl-cross vl-down")];
    this.ring = element("div", "vl-ring");
    this.controls = new Controls(this);
    this.stage.append(this.canvas, this.stack, this.sketch, this.hosted, ...this.cross, this.ring, this.cursor.node, this.controls.scale, this.controls.toast);
    const frame = element("div", "vl-frame", {}, this.stage, ...this.controls.boxes);
    this.root.classList.add("vl-view");
    this.root.replaceChildren(this.controls.top, frame, this.controls.bottom, this.cursor.words);
    this.ink = new Ink(this);
    this.keyboard = new Keyboard(this);
    this.hand = new Hand(this);
  }

  connect() {
    const { model } = this;
    const on = (name, handler) => { model.on(name, handler); this.disposers.push(() => model.off(name, handler)); };
    on("change:geometry", () => { this.geometry = model.get("geometry"); this.cameras = {}; this.frames.clear(); this.pump(); });
    on("change:axis", () => this.follow());
    on("change:index", () => this.follow());
    on("change:contrast", () => { this.controls.contrast.update(); this.hush(); this.pump(); });
    on("change:picture", () => { this.styleLayers(); this.controls.contrast.update(); this.hush(); this.pump(); });
    on("change:layers", () => { this.styleLayers(); this.pump(); });
    on("change:tool", () => { this.hand.updateRing(); this.cursor.tellSoon(); });
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
    on("change:place", () => this.ink.adopt());
    const watch = new KernelWatch(model, this.root, (state) => this.follows(state));
    this.disposers.push(() => watch.close(), () => livingViews().delete(this.id));
    this.hush();
    this.pulse = setInterval(() => this.check(), 1000);
    this.disposers.push(() => resize.disconnect(), () => theme.disconnect(), () => clearInterval(this.pulse));
    this.disposers.push(() => this.frames.show(null), () => this.frames.clear());
    this.styleHeight();
    this.styleLayers();
    this.controls.contrast.update();
    this.hostOverlay();
    this.ink.adopt();
  }

  // What the kernel is to this view: "there", "away" for a while, or "gone" for good.
  follows(state) {
    this.away = state === "away";
    if (state === "gone") return this.lose();
    this.controls.say(this.away ? "No connection to the kernel: what you draw is kept and sent when it is back" : "", true);
    if (!this.away) this.pump();
  }

  lose() { // nobody will ever answer here; the view that comes after this one takes up its strokes
    if (this.gone) return;
    this.gone = true;
    livingViews().delete(this.id);
    this.ink.leave();
    this.stage.classList.add("vl-looking");
    this.controls.say(this.root.closest(".vx-root") ? "" : GONE_WORDS, true); // a panel says it across itself
    this.redraw();
  }

  close() {
    this.closed = true;
    for (const dispose of this.disposers) dispose();
    this.ink.close();
    this.keyboard.close();
    this.cursor.close();
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
    const height = this.model.get("height"); // 0: what is left around it
    this.root.style.setProperty("--vl-height", `${height}px`);
    this.root.classList.toggle("vl-fills", !height);
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
      else this.layers.set(state.id, new LayerView(state));
      const layer = this.layers.get(state.id);
      this.stack.append(layer.canvas, layer.hatch);
    }
    const picture = this.model.get("picture");
    this.canvas.style.opacity = picture.visible ? picture.opacity : 0;
    this.sizeCanvases();
    this.redraw();
  }

  get planeWords() {
    const { axis, depth } = this.plane(this.axis);
    const name = this.geometry.frames ? "frame" : `${{ z: "xy", y: "xz", x: "yz" }[axis]} plane`;
    if (depth < 2) return this.geometry.frames ? "picture" : name;
    return `${name} ${this.index} of ${depth - 1}`;
  }

  // ------------------------------------------------------------------------------------------------------- camera

  resize() {
    const width = this.stage.clientWidth, height = this.stage.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width || !height || (width === this.width && height === this.height && ratio === this.ratio)) return;
    Object.assign(this, { width, height, ratio });
    for (const [axis, camera] of Object.entries(this.cameras)) if (camera.fit) delete this.cameras[axis];
    this.restoreCamera();
    this.sizeCanvases();
    this.controls.fold();
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
    const all = [this.canvas, this.sketch, ...[...this.layers.values()].flatMap((layer) => [layer.canvas, layer.hatch])];
    for (const canvas of all) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
  }

  zoomAt(factor, x = this.anchor.x, y = this.anchor.y) {
    this.magnify(this.axis, factor, x, y);
    this.moved();
  }

  get anchor() { return (this.cursor.on && this.pointer) || { x: this.width / 2, y: this.height / 2 }; }

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
    this.cursor.place();
    this.hand.updateRing();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.settling = 0;
      if (this.closed) return;
      this.pump();
      this.send({ kind: "camera", camera: { axis: this.axis, ...this.camera }, box: this.window(), width: this.width, height: this.height });
    }, SETTLE_MS);
    this.pump();
  }

  // -------------------------------------------------------------------------------------------------------- state

  follow() { // the model's plane changed: by another view of it, by Python, or by this one
    const turned = this.axis !== this.model.get("axis"), step = this.model.get("index") - this.index;
    this.axis = this.model.get("axis");
    this.index = this.model.get("index");
    if (!turned && Math.abs(step) <= FAR) this.stride = step || this.stride;
    else this.hush();
    if (turned || Math.abs(step) > FAR) this.stride = 1;
    if (this.frames.get(this.axis, this.index)?.picture?.bitmap === null) this.frames.forget(this.axis, this.index);
    this.controls.update();
    this.veilSoon();
    if (turned) this.moved();
    this.redraw();
    this.pump();
    this.tellSoon();
  }

  setIndex(index) {
    const { depth } = this.plane(this.axis);
    const next = Math.max(0, Math.min(depth - 1, Math.round(index)));
    if (next === this.index || this.ink.active) return;
    this.model.set("index", next); // every view of this model follows, and tells the kernel
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
    this.send({ kind: "contrast", limits: contrast.map((one) => one.limits) }); // before the frame that this asks for
    this.model.set("contrast", contrast);
  }

  autoContrast() { this.send({ kind: "auto_contrast" }); }

  setChannels(which) {
    const channels = which === "all" ? this.geometry.channels.map((_, i) => i) : [+which];
    this.setLayer("", { channels });
  }

  setLayer(id, patch) {
    this.send({ kind: "layer", id, patch }); // before the frame that this asks for
    if (id === "") this.model.set("picture", { ...this.model.get("picture"), ...patch });
    else this.model.set("layers", this.model.get("layers").map((layer) => (layer.id === id ? { ...layer, ...patch } : layer)));
  }

  // A layer changes places with the one above it.
  raiseLayer(id) {
    const layers = [...this.model.get("layers")], at = layers.findIndex((layer) => layer.id === id);
    if (at < 0 || at + 1 >= layers.length) return;
    [layers[at], layers[at + 1]] = [layers[at + 1], layers[at]];
    this.send({ kind: "order", ids: layers.map((layer) => layer.id) });
    this.model.set("layers", layers);
  }

  setTool(patch) {
    this.model.set("tool", { ...this.model.get("tool"), ...patch });
    this.send({ kind: "tool", patch });
  }

  goTo(words) {
    const { frames } = this.geometry, text = words.replace("frame", "");
    const found = [...text.matchAll(/(-?\d+(?:\.\d+)?)\s*(nm|µm|um|mm)?/g)];
    if (![1, 2, 3].includes(found.length) || text.replace(/(-?\d+(?:\.\d+)?)\s*(nm|µm|um|mm)?/g, "").replace(/[\s,;zyx=:()]/g, "")) return false;
    const { a, r, c } = this.plane(this.axis);
    const order = found.length === 1 ? [a] : found.length === 2 ? [r, c] : [0, 1, 2];
    const common = found.at(-1)[2];
    const point = this.center();
    found.forEach((part, i) => {
      const unit = !(frames && order[i] === 0) && { nm: 1e-3, um: 1, "µm": 1, mm: 1e3 }[part[2] ?? common];
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
    if (!inside || zoom !== camera.zoom) Object.assign(camera, this.over(this.axis, y, x, zoom)); // what is in sight stays put
    this.setIndex(point[a]);
    this.moved();
    this.flash = point;
    this.cursor.put(point);
    this.cursor.place();
    this.placeCross();
    clearTimeout(this.flashing);
    this.flashing = setTimeout(() => { this.flash = null; this.placeCross(); }, 1600);
    return true;
  }

  lookAround(point, voxels) { // the point in the middle, so many voxels around it in sight; nothing points at it
    const { a, r, c, sy, sx } = this.plane(this.axis), camera = this.camera;
    const zoom = voxels ? Math.min(this.width, this.height) / (voxels * Math.min(sy, sx)) : camera.zoom;
    Object.assign(camera, this.over(this.axis, (point[r] + 0.5) * sy, (point[c] + 0.5) * sx, zoom));
    this.setIndex(point[a]);
    this.moved();
  }

  setCursor(point) {
    this.model.set("cursor", point);
    this.send({ kind: "cursor", point });
  }

  get keys() { return [...this.keyboard.builtIn, ...this.model.get("bindings")]; }

  // ----------------------------------------------------------------------------------------------- conversation

  send(message, buffers = []) {
    if (message.kind !== "frame") this.tell(); // whatever it is, it is about the plane on screen
    else if (!message.ahead) this.told = `${message.axis}${message.index}`;
    this.pass(message, buffers);
  }

  pass(message, buffers) {
    if (this.gone) return;
    try {
      this.model.send({ view: this.id, ...message }, undefined, buffers);
    } catch { // its comm is closed
      this.lose();
    }
  }

  tell() {
    const plane = `${this.axis}${this.index}`;
    if (this.told === plane) return;
    this.told = plane;
    this.pass({ kind: "plane", axis: this.axis, index: this.index }, []);
  }

  tellSoon() {
    this.telling ??= setTimeout(() => { this.telling = null; if (!this.closed) this.tell(); }, TELL_MS);
  }

  get look() { // what of the picture is made in the kernel
    const channels = this.model.get("picture").channels, contrast = this.model.get("contrast");
    return JSON.stringify(channels.map((channel) => [channel, ...(contrast[channel]?.limits ?? [])]));
  }

  // What of a plane is not here as it should be: {picture, layers}, null where nothing is missing.
  missing(index, { margin, fine } = { margin: 0, fine: false }) {
    const frame = this.frames.get(this.axis, index);
    const box = this.window(margin), pixel_um = this.settling ? 0 : this.pixel();
    if (frame?.picture?.bitmap === null) return null; // cannot be read; tried again when it is turned to
    const picture = !frame?.picture?.looks.includes(this.look) || !serves(frame.picture.asked, box, pixel_um) || (fine && !frame.picture.asked.fine);
    const layers = [];
    for (const [id, layer] of this.layers) {
      const have = frame?.layers.get(id);
      const good = have?.fresh && have.sequence >= this.ink.awaited(id, this.axis, index) && serves(have.asked, box, pixel_um);
      if (layer.state.visible && !good) layers.push(id);
    }
    return picture || layers.length ? { picture, layers } : null;
  }

  // At most two requests under way for what is on screen, of different planes; what is wanted meanwhile comes with the
  // next, of the newest plane. What a request ahead will bring is not asked for again.
  pump() {
    if (this.closed || !this.width) return;
    if (this.ink.active && this.ink.active.shape === "brush" && this.shown.index !== this.index) return;
    const under = [...this.waiting.values()];
    const missing = this.missing(this.index, this.resting ? REST : undefined);
    if (!missing) return this.fetchAhead();
    if (under.some((one) => one.axis === this.axis && one.index === this.index)) return;
    const before = under.filter((one) => !one.ahead && !one.arrived), wait = STAGGER_MS - (performance.now() - before.at(-1)?.since);
    clearTimeout(this.later);
    if (before.length > 1) return;
    if (wait > 0) { this.later = setTimeout(() => this.pump(), wait); return; }
    this.request(this.index, missing, this.resting ? REST : TURNING);
  }

  fetchAhead() {
    const under = [...this.waiting.values()], late = this.quiet - performance.now();
    if (this.silent || this.ink.active || this.settling || document.hidden || under.some((one) => !one.ahead)) return;
    clearTimeout(this.later);
    if (late > 0) { this.later = setTimeout(() => this.pump(), late); return; }
    const { depth } = this.plane(this.axis), each = this.frames.get(this.axis, this.index).bytes;
    let free = this.most - under.length;
    for (const step of AHEAD.slice(0, Math.floor(KEPT_BYTES / each) - 2)) {
      const index = this.index + step * this.stride;
      if (free <= 0) return;
      if (index < 0 || index >= depth || under.some((one) => one.axis === this.axis && one.index === index)) continue;
      const missing = this.missing(index);
      if (!missing) continue;
      this.request(index, missing, TURNING, true);
      free -= 1;
    }
  }

  hush() { this.quiet = performance.now() + QUIET_MS; }

  request(index, { picture, layers }, { margin, fine }, ahead = false) {
    const number = ++this.number;
    const told = { kind: "frame", number, axis: this.axis, index, box: this.window(margin), pixel_um: this.pixel(), picture, layers, fine, ahead };
    this.waiting.set(number, { ...told, look: this.look, since: performance.now(), spoiled: new Map() });
    this.send(told);
  }

  check() { // once a second: ask again where no answer came, say so where the kernel is silent
    if (this.gone || this.away) return;
    const late = [...this.waiting.values()].filter((one) => performance.now() - one.since > SILENT_MS);
    if (!late.length) return;
    this.silent = true;
    if (late.some((one) => !one.ahead)) this.controls.say("No answer from the kernel yet; asking again", true);
    for (const one of late) this.waiting.delete(one.number);
    this.pump();
  }

  async receive(message, buffers) {
    if (message.kind === "stale") return this.stale(message);
    if (message.kind === "goto") return this.showPoint(message.point, message.zoom_in);
    if (message.kind === "around") return this.lookAround(message.point, message.voxels);
    if (message.kind === "keys") return this.stage.focus({ preventScroll: true });
    if (message.kind === "say") return this.controls.say(message.text);
    if (message.kind === "ack") return this.ink.acknowledged(message);
    if (message.view !== this.id) return;
    if (message.kind === "frame") await this.take(message, buffers);
    else if (message.kind === "probe") this.showProbe(message);
  }

  stale({ layers, picture, region, sequence }) {
    const needed = sequence ?? Infinity; // without a number, only what is asked for from now on is known to be new
    this.frames.spoil(layers, region, needed);
    for (const one of this.waiting.values()) {
      if (touches(region, one)) for (const id of layers) one.spoiled.set(id, needed);
    }
    if (picture) {
      this.frames.clear();
      this.waiting.clear();
    }
    this.hush();
    this.pump();
  }

  async take(message, buffers) {
    const asked = this.waiting.get(message.number);
    if (!asked) return;
    if (this.silent) { this.silent = false; this.controls.say(""); }
    const took = performance.now() - asked.since;
    this.most = message.work_ms > SLOW_MS ? 1 : took - message.work_ms > SLOW_MS ? FAR_AHEAD : 2;
    asked.arrived = true;
    this.pump(); // the kernel works on the next one while this one is decoded
    let parts = { picture: { bitmap: null }, layers: [] };
    try {
      if (!message.error) parts = await decodeFrame(message, buffers);
    } finally {
      this.waiting.delete(message.number);
    }
    if (this.closed) return parts.picture?.bitmap?.close();
    const frame = this.frames.put(asked, parts);
    const here = message.axis === this.axis && message.index === this.index;
    if (message.error && here) this.excuse(message, frame);
    if (here || (!asked.ahead && !this.isCurrent && message.number > this.latest)) this.show(frame, message.number, true);
    this.pump();
  }

  excuse({ error, again }, frame) { // what is on screen cannot be read: say why, until something can
    this.excused = true;
    this.controls.say(error, true);
    clearTimeout(this.asking);
    if (!again) return;
    this.asking = setTimeout(() => {
      if (this.closed || frame !== this.frames.get(this.axis, this.index)) return;
      this.frames.forget(this.axis, this.index);
      this.pump();
    }, LACKING_MS);
  }

  get isCurrent() { return this.shown.axis === this.axis && this.shown.index === this.index; }

  veilSoon() { // a picture that is not the one asked for looks like none, before anybody takes it for it
    clearTimeout(this.veiling);
    this.veiling = setTimeout(() => this.veil(), VEIL_MS);
  }

  veil() { this.stage.classList.toggle("vl-behind", !this.closed && this.shown.index >= 0 && !this.isCurrent); }

  adopt() { // a plane that was fetched ahead; true where it is drawn now
    const frame = this.isCurrent ? null : this.frames.get(this.axis, this.index);
    const ready = frame?.picture?.looks.includes(this.look) && serves(frame.picture.asked, this.window(), this.settling ? 0 : this.pixel());
    return !!ready && this.show(frame, this.number, false);
  }

  // A frame becomes what is on screen; of layers that changed since, only what just arrived is better than nothing.
  show(frame, number, arrived) {
    const active = this.ink.active;
    if (!frame.picture?.bitmap || (active && (active.axis !== frame.axis || active.index !== frame.index))) return false; // what is painted on stays
    if (this.excused) { this.excused = false; this.controls.say(""); }
    this.latest = number;
    this.frames.show(frame.picture);
    this.shown = { axis: frame.axis, index: frame.index };
    this.veil();
    for (const [id, data] of frame.layers) {
      const layer = this.layers.get(id);
      if (!layer || !(data.fresh || arrived)) continue;
      if (layer.data !== data) layer.take(data);
      this.ink.arrived(id, data.axis, data.index, data.sequence);
    }
    this.draw();
    clearTimeout(this.calming);
    this.calming = setTimeout(() => this.rest(), REST_MS);
    this.stage.dataset.frame = number;
    this.stage.dataset.axis = frame.axis;
    this.stage.dataset.index = frame.index;
    this.probe();
    return true;
  }

  rest() { // nothing happened for a while: fetch what lies around the window, and all of it in fine
    if (this.closed || this.ink.active || !this.isCurrent) return;
    this.resting = true;
    this.pump();
    this.resting = false;
  }

  // ------------------------------------------------------------------------------------------------------ drawing

  redraw() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => { this.drawing = 0; if (!this.closed && !this.adopt()) this.draw(); });
  }

  draw() {
    if (!this.width) return;
    const ctx = this.canvas.getContext("2d");
    ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const picture = this.frames.shown;
    if (picture && picture.axis === this.shown.axis && picture.index === this.shown.index) {
      const r = this.rectangle(picture.axis, picture.box);
      ctx.imageSmoothingEnabled = this.model.get("picture").smooth || r.width < picture.bitmap.width * 1.5;
      ctx.imageSmoothingQuality = "low"; // frames are at most twice the screen; better ones cost ten times as much
      ctx.drawImage(picture.bitmap, r.x, r.y, r.width, r.height);
    }
    for (const [id, layer] of this.layers) layer.draw(this, this.ink.of(id));
    sketch(this.sketch.getContext("2d"), this, this.ink.active);
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
      const labels = [];
      for (const { name, color, of } of message.labels) {
        const same = labels.find((one) => one.name === name);
        if (same && of) same.of.push(of);
        else if (!same) labels.push({ name, color, of: of ? [of] : [] });
      }
      this.controls.readout.replaceChildren(
        element("b", "", {}, message.value), " ", ...labels.map(({ name, color, of }) =>
          element("span", "vl-probe-label", { style: `--c:${color}` }, name, element("i", "", {}, of.length ? ` ${of.join(", ")} ` : " "))),
        element("span", "vl-dim", {}, ` z ${z}  y ${y}  x ${x}`));
      if (this.cursor.on) this.cursor.tellSoon();
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
