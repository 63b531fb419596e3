// The cursor of the keyboard: a place in the plane that arrows move and Space paints at, and the words that say where.

const EDGE = 24; // CSS pixels of the view's edge that the cursor stays out of
const TELL_AFTER_MS = 350; // words are for what came to rest
const MOVES = { arrowleft: [0, -1], arrowright: [0, 1], arrowup: [-1, 0], arrowdown: [1, 0] };
const CURSOR_KEYS = [
  { shown: "← →", label: "begin, with the picture in focus (or K)" },
  { shown: "Arrows", label: "move it (Shift: ten voxels)" },
  { shown: "Space", label: "paint, a corner, fill: in place of the next place" },
  { shown: "Enter", label: "draw while it moves, and stop; closes a polygon" },
  { shown: "Esc", label: "put it away" },
].map((key) => ({ group: "Cursor of the keyboard", ...key }));

class Cursor {
  constructor(view) {
    this.view = view;
    this.at = null; // row and column of a voxel, while it is on
    this.node = element("div", "vl-caret", { ariaHidden: "true" });
    this.words = element("div", "vl-words", { role: "status", ariaLive: "polite" });
    this.said = "";
  }

  get on() { return !!this.at; }

  begin() {
    const { view } = this;
    if (view.shown.index < 0) return false;
    const { rows, columns } = view.plane(view.axis), place = view.toVoxel(view.width / 2, view.height / 2);
    view.stage.focus({ preventScroll: true });
    this.told = null; // all of it is news
    this.at = [Math.max(0, Math.min(rows - 1, Math.round(place[0]))), Math.max(0, Math.min(columns - 1, Math.round(place[1])))];
    this.moved();
    return true;
  }

  end() {
    const { view } = this;
    if (!this.on) return false;
    this.lift();
    this.at = view.pointer = null;
    this.place();
    view.clearProbe();
    view.hand.updateRing();
    return true;
  }

  press(name, event) { // whether the key was used
    const { view } = this;
    if (name === "k") return this.on ? this.end() : this.begin();
    const move = MOVES[name.replace("shift+", "")];
    if (!this.on) {
      const starts = move && !move[0] && document.activeElement === view.stage;
      return !!starts && this.begin();
    }
    if (move) return this.go(...move.map((step) => step * (name.startsWith("shift+") ? 10 : 1)));
    if (name === " ") return event.repeat || this.act();
    if (name === "enter" && view.hand.tool.draws === "line" && !view.hand.tool.thin) return event.repeat || this.draws ? this.lift() : this.act(true);
    if (name === "escape" && !view.ink.active) return this.end();
    return false;
  }

  release(event) { // Space came up: a stroke that it began is over
    if (!this.on || event.key !== " ") return false;
    if (this.held) this.lift();
    return true;
  }

  go(down, right) {
    const { view } = this, { rows, columns } = view.plane(view.axis), [row, column] = this.at;
    this.at = [Math.max(0, Math.min(rows - 1, row + down)), Math.max(0, Math.min(columns - 1, column + right))];
    if (view.ink.active?.shape === "brush") view.ink.extend([this.at]);
    else if (view.ink.active?.shape === "span") view.ink.span(this.at);
    this.moved();
    return true;
  }

  act(draws = false) { // what a press of the mouse does here; `draws`: the brush stays down
    const { view } = this, { tool } = view.hand, [row, column] = this.at;
    if (tool.draws === "line") {
      if (view.ink.active) return this.lift();
      view.ink.begin(tool, row, column);
      this.held = !draws;
      this.draws = draws;
      if (draws) this.say("drawing; Enter stops");
    } else if (tool.draws === "span") {
      if (view.ink.active) return view.ink.endSpan(), true;
      view.ink.begin(tool, row, column);
      this.say("first corner; go to the other one");
    } else if (tool.draws === "area") {
      if (view.ink.active) view.ink.extend([this.at]);
      else view.ink.begin(tool, row, column);
      this.say(`corner ${view.ink.active.points.length / 2}`);
    } else if (tool.name !== "look") {
      view.hand.click(tool.name, row, column, tool.draws === "place" ? { last: true } : {});
    }
    return true;
  }

  lift() {
    if (this.view.ink.active?.shape === "brush") this.view.ink.end();
    this.held = this.draws = false;
    return true;
  }

  put(point) { // the view shows a place (zyx): so does the cursor
    const { r, c } = this.view.plane(this.view.axis);
    if (this.on) this.at = [Math.round(point[r]), Math.round(point[c])];
  }

  moved() {
    const { view } = this;
    this.keepInSight();
    this.place();
    view.hand.updateRing();
    view.probe();
    this.tellSoon();
  }

  keepInSight() {
    const { view } = this, [x, y] = this.pixel();
    const beyond = (at, size) => Math.min(0, at - EDGE) + Math.max(0, at - size + EDGE);
    const dx = beyond(x, view.width), dy = beyond(y, view.height);
    if (dx || dy) view.pan(-dx, -dy);
  }

  pixel() { return this.view.toDevice(this.view.axis, this.at[0] + 0.5, this.at[1] + 0.5).map((value) => value / this.view.ratio); }

  place() { // where the camera has it now
    this.node.classList.toggle("vl-on", this.on);
    if (!this.on) return;
    const [x, y] = this.pixel();
    this.view.pointer = { x, y };
    this.node.style.transform = `translate(${x}px, ${y}px)`;
  }

  // ------------------------------------------------------------------------------------------------------- words

  tellSoon() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tell(), TELL_AFTER_MS);
  }

  tell() { // what of it is not as it was said last
    const { view } = this, { tool } = view.hand;
    const held = view.model.get("bindings").find((key) => key.group === "Classes" && key.set?.value === tool.value);
    const parts = [view.planeWords, `${tool.name}${held && tool.paints ? ` ${held.label}` : ""}`, `zoom ${view.controls.zoom.textContent}`];
    if (this.on) parts.push(view.controls.readout.textContent.replace(/\s+/g, " ").trim());
    const news = parts.filter((part, i) => part && part !== this.told?.[i]);
    const isFirst = !this.told;
    this.told = parts;
    if (news.length && !(isFirst && !this.on) && view.root.contains(document.activeElement)) this.say(news.join(", "));
  }

  say(words) { this.words.textContent = words; }

  close() { clearTimeout(this.telling); }
}
