// Pointer and keyboard of a plane view. Which of the page's keys it hears is decided in keyboard.js.

function combo(event) {
  const key = event.key.toLowerCase();
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("ctrl");
  if (event.altKey) parts.push("alt");
  const letter = /^[a-z]$/.test(key);
  if (event.shiftKey && (letter || key.length > 1)) parts.push("shift");
  return [...parts, key].join("+");
}

const TAP_MS = 350; // Space held longer is not a tap

class Keyboard {
  constructor(view) {
    this.view = view;
    this.root = view.root;
    const look = "Look around", go = (by) => () => view.setIndex(view.index + by);
    this.builtIn = [
      { key: "arrowup", group: look, label: "next plane", run: go(1) },
      { key: "arrowdown", group: look, label: "previous plane", run: go(-1) },
      { key: "pageup", group: look, label: "ten planes on", run: go(10) },
      { key: "pagedown", group: look, label: "ten planes back", run: go(-10) },
      { key: ".", group: look, shown: ",  .", label: "previous, next plane, also of the cursor", run: go(1) },
      { key: ",", group: look, run: go(-1) },
      { key: "home", group: look, run: () => view.setIndex(0) },
      { key: "end", group: look, run: () => view.setIndex(Infinity) },
      { key: "v", group: look, label: "xy, xz, yz in turn", run: () => view.setAxis(AXES[(AXES.indexOf(view.axis) + 1) % 3]) },
      { key: "f", group: look, label: "fit the plane", run: () => view.fit() },
      { key: "+", group: look, label: "zoom in", run: () => view.zoomAt(1.25) },
      { key: "=", group: look, run: () => view.zoomAt(1.25) },
      { key: "-", group: look, label: "zoom out", run: () => view.zoomAt(0.8) },
      { key: "*", group: look, label: "one voxel, one pixel", run: () => view.oneToOne() },
      { key: "j", group: look, label: "go to a place", run: () => view.controls.go.focus() },
      { key: "a", group: look, label: "automatic contrast", run: () => view.autoContrast() },
      { key: "h", group: look, label: "hide labels while held", run: () => this.peek(true) },
      { key: "?", group: look, label: "this list", run: () => view.controls.toggle(view.controls.helpBox) },
    ];
    pageKeyboard().add(this);
  }

  close() {
    pageKeyboard().remove(this);
  }

  left() { this.peek(false); } // the pointer is elsewhere

  press(event) { // whether the key was used
    const { view } = this, name = combo(event);
    if (view.gone) return false;
    if (view.cursor.press(name, event)) return true;
    if (name === " ") return this.hold(event);
    if (name === "escape") return this.escape();
    if (view.hand.key(name)) return true;
    const key = this.bound(name) ?? this.builtIn.find((one) => one.key === name);
    if (!key || !(key.run || key.set || key.action)) return false;
    if (key.run) key.run();
    else if (key.set) view.setTool({ ...(key.otherwise && !view.hand.tool.paints ? key.otherwise : {}), ...key.set });
    if (key.action) this.act(key);
    return true;
  }

  bound(name) { // what the panel binds to a key, with the tool in the hand
    const { hints } = this.view.hand.tool;
    return this.view.model.get("bindings").find((one) => one.key === name && (one.needs !== "hints" || hints));
  }

  act(key) {
    if (key.needs === "picture" && !this.view.isCurrent) return this.view.controls.say("Wait for the picture");
    this.view.send({ kind: "action", name: key.action, point: this.view.center() });
  }

  release(event) { // whether the key was used
    if (event.key.toLowerCase() === "h") this.peek(false);
    if (this.view.cursor.release(event)) return true;
    return event.key === " " && this.view.hand.space && this.letGo(event);
  }

  // Space moves the picture while it is held; tapped, it does what the panel binds to it.
  hold(event) {
    const { hand } = this.view;
    if (!hand.space) {
      this.heldSince = event.timeStamp;
      hand.panned = false;
    }
    hand.space = true;
    hand.updateRing();
    return true;
  }

  letGo(event) {
    const { view } = this, { hand } = view;
    hand.space = false;
    hand.updateRing();
    const tapped = !hand.panned && event.timeStamp - this.heldSince < TAP_MS;
    const key = tapped && view.model.get("bindings").find((one) => one.key === " ");
    if (key?.action) this.act(key);
    return true;
  }

  escape() {
    const { view } = this;
    if (view.ink.active) view.ink.cancel();
    else if (view.controls.isOpen) view.controls.closeAll();
    else if (this.bound("escape")) this.act(this.bound("escape"));
    else return false;
    return true;
  }

  peek(on) {
    this.view.stack.classList.toggle("vl-peek", on);
  }
}

const DRAG_MS = 80; // between clicks of a tool that goes on while it is dragged
const STEP_PIXELS = 40; // of a trackpad's wheel for one plane

class Hand {
  constructor(view) {
    this.view = view;
    this.space = false;
    this.panning = null;
    this.touches = new Map();
    this.wheelRest = 0;
    const { stage } = view;
    const on = (name, handler, options) => stage.addEventListener(name, handler, options);
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.up(event));
    on("lostpointercapture", (event) => this.up(event));
    on("pointerleave", () => { if (!view.ink.active && !view.cursor.on) { view.pointer = null; view.clearProbe(); this.updateRing(); } });
    on("dblclick", (event) => this.double(event));
    on("contextmenu", (event) => { if (view.ink.active || this.tool.thin) { event.preventDefault(); event.stopPropagation(); } });
    on("auxclick", (event) => event.preventDefault());
  }

  get tool() { return this.view.model.get("tool"); }

  at(event) {
    const r = this.view.stage.getBoundingClientRect();
    // a CSS zoom of the page scales the rectangle, not the layout
    return { x: ((event.clientX - r.left) / r.width) * this.view.width, y: ((event.clientY - r.top) / r.height) * this.view.height };
  }

  wheel(event) {
    const { view } = this;
    event.preventDefault();
    event.stopPropagation();
    const unit = [1, 33, 400][event.deltaMode];
    const delta = (event.deltaY || event.deltaX) * unit; // Shift turns the wheel sideways in some browsers
    if (event.ctrlKey || event.metaKey) {
      const { x, y } = this.at(event);
      return view.zoomAt(Math.exp(-Math.max(-60, Math.min(60, delta)) * 0.0045), x, y);
    }
    if (event.altKey && this.tool.draws === "line" && !this.tool.thin) return this.resizeBrush(Math.sign(-delta));
    let steps;
    if (Math.abs(delta) >= STEP_PIXELS) { steps = Math.sign(delta); this.wheelRest = 0; }
    else {
      this.wheelRest += delta;
      steps = Math.trunc(this.wheelRest / STEP_PIXELS);
      this.wheelRest -= steps * STEP_PIXELS;
    }
    if (steps) view.setIndex(view.index + steps * (event.shiftKey ? 10 : 1));
  }

  down(event) {
    const { view } = this;
    const at = this.at(event);
    view.cursor.end();
    view.stage.focus({ preventScroll: true });
    view.controls.closeAll();
    if (event.pointerType === "touch") {
      this.touches.set(event.pointerId, at);
      if (this.touches.size === 2) { // what the first one began was no stroke
        view.ink.cancel();
        this.panning = this.placing = null;
        this.lasso = this.crossing = false;
      }
      if (this.touches.size > 1) return;
    }
    if (event.button === 1 || (event.button === 0 && (this.space || view.gone || this.tool.name === "look"))) {
      event.preventDefault();
      this.capture(event);
      this.panning = at;
      this.panned = true;
      return view.stage.classList.add("vl-grabbed");
    }
    const against = event.button === 2 && this.tool.thin; // the right button says the other of inside and outside
    if ((event.button !== 0 && !against) || view.shown.index < 0) return;
    view.pointer = at;
    const [row, column] = view.toVoxel(at.x, at.y);
    if (event.altKey) return this.click("pick", row, column);
    if (event.shiftKey) { this.crossing = true; this.capture(event); return this.setCross(at); }
    if (this.tool.draws === "line") {
      this.capture(event);
      view.ink.begin(against ? { ...this.tool, options: { ...this.tool.options, against: !this.tool.options.against } } : this.tool, row, column, this.pressed(event));
    } else if (this.tool.draws === "area") {
      this.capture(event);
      if (view.ink.active) view.ink.extend([[row, column]]);
      else view.ink.begin(this.tool, row, column);
      this.lasso = true;
    } else if (this.tool.draws === "span") {
      this.capture(event);
      view.ink.begin(this.tool, row, column);
    } else if (this.tool.draws === "place") {
      this.capture(event);
      this.placing = at;
      this.place(false);
    } else {
      this.click(this.tool.name, row, column);
    }
  }

  // Clicks of a tool that follows the pointer until it is let go: the newest place, and `last` at the end.
  place(last) {
    if (last) { clearTimeout(this.dragging); this.dragging = 0; }
    else if (this.dragging) return;
    else this.dragging = setTimeout(() => { this.dragging = 0; if (this.placing && this.placed !== this.placing) this.place(false); }, DRAG_MS);
    this.placed = this.placing;
    this.click(this.tool.name, ...this.view.toVoxel(this.placing.x, this.placing.y), { last });
    if (last) this.placing = null;
  }

  // The radius that a pen is pressed to, in steps of a quarter; undefined where pressure says nothing.
  pressed(event) {
    if (event.pointerType !== "pen") return undefined;
    if (!this.penned) this.view.send({ kind: "action", name: "pen", point: this.view.center() });
    this.penned = true;
    if (!this.tool.options?.pressure) return undefined;
    return Math.max(0.5, this.tool.radius * Math.max(0.25, Math.round(8 * event.pressure) / 4)); // half pressed: as it is set
  }

  capture(event) {
    try { this.view.stage.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
  }

  click(tool, row, column, more = {}) {
    const { view } = this;
    view.send({ kind: "click", tool, axis: view.shown.axis, index: view.shown.index, row, column, ...this.settings(), ...more });
  }

  settings() {
    const { value, layer, radius, depth, options } = this.tool;
    return { value, layer, radius, depth, options };
  }

  move(event) {
    const { view } = this;
    const at = this.at(event);
    if (this.touches.has(event.pointerId)) {
      if (this.touches.size === 2) return this.pinch(event.pointerId, at);
      this.touches.set(event.pointerId, at);
    }
    if (this.panning) {
      view.pan(at.x - this.panning.x, at.y - this.panning.y);
      this.panning = at;
      return;
    }
    if (view.cursor.on && !(event.movementX || event.movementY)) return; // the page moved under the pointer
    view.cursor.end();
    view.pointer = at;
    if (this.crossing) this.setCross(at);
    if (this.placing) { this.placing = at; this.place(false); }
    const { active } = view.ink;
    if (active && (event.buttons & (active.tool.thin ? 3 : 1)) && (active.shape === "brush" || this.lasso)) {
      const events = event.getCoalescedEvents?.() ?? [];
      const points = (events.length ? events : [event]).map((one) => { const p = this.at(one); return view.toVoxel(p.x, p.y); });
      view.ink.extend(points, this.pressed(event));
    } else if (active?.shape === "span" && (event.buttons & 1)) view.ink.span(view.toVoxel(at.x, at.y));
    this.updateRing();
    view.probe();
  }

  up(event) {
    const { view } = this;
    this.touches.delete(event.pointerId);
    if (this.panning) { this.panning = null; view.stage.classList.remove("vl-grabbed"); return; }
    this.crossing = false;
    if (this.placing) return this.place(true);
    const { active } = view.ink;
    if (!active || event.type === "lostpointercapture" && active.shape === "polygon") return;
    if (active.shape === "brush") view.ink.end();
    else if (active.shape === "span") view.ink.endSpan();
    else if (this.lasso && active.points.length > 24) view.ink.end(); // drawn freehand: done when let go
    this.lasso = false;
    if (!view.isCurrent) { view.redraw(); view.pump(); } // planes were turned meanwhile
  }

  pinch(id, at) {
    const { view } = this;
    const before = [...this.touches.values()];
    this.touches.set(id, at);
    const after = [...this.touches.values()];
    const span = ([p, q]) => Math.hypot(p.x - q.x, p.y - q.y) || 1;
    const middle = ([p, q]) => ({ x: (p.x + q.x) / 2, y: (p.y + q.y) / 2 });
    const a = middle(before), b = middle(after);
    view.pan(b.x - a.x, b.y - a.y);
    view.zoomAt(span(after) / span(before), b.x, b.y);
  }

  double() {
    const { view } = this;
    if (view.ink.active?.shape === "polygon") return this.closePolygon();
    if (!this.tool.draws && this.tool.name === "look") view.fit();
  }

  // Keys that belong to what the hand is doing; true where one was used.
  key(name) {
    const { ink } = this.view;
    if (name === "[" || name === "]") return this.resizeBrush(name === "]" ? 1 : -1);
    if (ink.active?.shape !== "polygon") return false;
    if (name === "enter") this.closePolygon();
    else if (name === "backspace") { ink.active.points.splice(-2); if (!ink.active.points.length) ink.cancel(); else this.view.redraw(); }
    else return false;
    return true;
  }

  closePolygon() {
    const { ink } = this.view;
    if (ink.active.points.length < 6) ink.cancel();
    else ink.end();
  }

  resizeBrush(direction) {
    const { radius } = this.tool;
    if (this.tool.draws !== "line" || this.tool.thin) return false;
    const step = Math.max(1, Math.round(radius * 0.15));
    this.view.setTool({ radius: Math.max(0, Math.min(200, Math.round(radius) + direction * step)) });
    this.updateRing();
    return true;
  }

  setCross(at) {
    const { view } = this;
    const { a, r, c } = view.plane(view.shown.axis), [row, column] = view.toVoxel(at.x, at.y), point = [0, 0, 0];
    point[a] = view.shown.index; point[r] = row; point[c] = column;
    view.setCursor(point.map((value, i) => Math.max(0, Math.min(view.geometry.shape[i] - 1, value))));
  }

  updateRing() {
    const { view } = this, { ring, pointer, stage } = view, tool = this.tool;
    const brush = pointer && tool.draws === "line" && !tool.thin && !this.space;
    const looking = tool.name === "look" || this.space;
    stage.classList.toggle("vl-looking", looking);
    stage.classList.toggle("vl-brushing", !!brush);
    ring.style.display = brush ? "" : "none";
    if (!brush) return;
    const radius = Math.max(1.5, view.brushRadius(view.shown.axis, tool.radius));
    ring.style.width = ring.style.height = `${2 * radius}px`;
    ring.style.transform = `translate(${pointer.x - radius}px, ${pointer.y - radius}px)`;
    ring.style.setProperty("--vl-ring", tool.erase ? "#fff" : tool.color);
  }
}
