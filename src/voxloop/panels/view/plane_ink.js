// Ink: what the pointer draws, at once and without the kernel, and its way there. Knows no frames.

const PART_MS = 100; // a long stroke is sent in parts, so that little is lost with the page
const RESEND_MS = 4000;
const ALIVE_MS = 2000; // a held-still pointer says that it is still there

const AGAINST = "#d55e00"; // of strokes that say what lies outside of an object
const ROUND = 64; // corners of an ellipse on screen

class Stroke {
  constructor(id, place, shown, tool) {
    this.id = id;
    this.place = place; // of the labels that it is drawn on
    this.axis = shown.axis;
    this.index = shown.index;
    this.tool = tool.thin ? { ...tool, color: tool.options?.against ? AGAINST : tool.color } : { ...tool };
    this.points = []; // voxel coordinates (row, column), centres at integers
    this.sent = 0;
    this.part = 0;
    this.ended = false;
    this.sequence = null; // set when the kernel has it on disk
    this.time = performance.now();
  }

  // "span": a box or an ellipse between two opposite corners
  get shape() { return this.tool.draws === "area" ? "polygon" : this.tool.draws === "span" ? "span" : "brush"; }

  // What is drawn is sent at once when it is done.
  get whole() { return this.tool.name === "cut"; }

  get area() { return this.shape !== "brush"; }

  // Its outline as corners in voxels, (row, column) pairs.
  get corners() {
    const p = this.points;
    if (this.shape !== "span" || p.length < 4) return p;
    const [top, left, bottom, right] = p;
    if (this.tool.name !== "ellipse") return [top, left, top, right, bottom, right, bottom, left];
    return Array.from({ length: ROUND }, (_, i) => i * 2 * Math.PI / ROUND).flatMap((turn) => [
      (top + bottom) / 2 + (bottom - top) / 2 * Math.sin(turn), (left + right) / 2 + (right - left) / 2 * Math.cos(turn),
    ]);
  }

  add(row, column, radius) {
    this.points.push(row, column);
    if (radius !== undefined) (this.radii ??= []).push(radius); // of a pen that is pressed: of each point
  }

  // What was not sent yet: ranges of points of one radius each.
  get runs() {
    const count = this.points.length / 2, first = this.sent / 2, ends = [];
    for (let i = first + 1; i < count; i++) if (this.radii && this.radii[i] !== this.radii[i - 1]) ends.push(i);
    const starts = [first, ...ends];
    return starts.map((from, i) => ({ from, to: starts[i + 1] ?? count, radius: this.radii?.[Math.min(from, count - 1)] ?? this.tool.radius }));
  }

  // `from`: first point that is not on the canvas yet
  draw(ctx, view, from = 0) {
    if (this.axis !== view.shown.axis || this.index !== view.shown.index || !this.points.length) return;
    const p = this.corners;
    const at = (i) => view.toDevice(this.axis, p[i] + 0.5, p[i + 1] + 0.5);
    ctx.save();
    ctx.globalCompositeOperation = this.tool.erase ? "destination-out" : "source-over";
    ctx.strokeStyle = ctx.fillStyle = this.tool.color;
    if (this.tool.trace) ctx.globalAlpha = 0.35;
    ctx.lineCap = ctx.lineJoin = "round";
    ctx.beginPath();
    const start = this.area ? 0 : Math.max(0, from - 2);
    let [x, y] = at(start);
    ctx.moveTo(x, y);
    for (let i = start + 2; i < p.length; i += 2) ctx.lineTo(...(([x, y] = at(i)), [x, y]));
    if (this.area) {
      ctx.closePath();
      ctx.globalAlpha = this.ended ? 1 : 0.35;
      ctx.fill();
    } else if (this.radii) {
      for (let i = Math.max(2, start + 2); i <= p.length; i += 2) { // each piece as wide as the pen was pressed at its end
        const end = Math.min(i, p.length - 2);
        ctx.beginPath();
        ctx.moveTo(...at(i - 2));
        ctx.lineTo(...at(end).map((value, axis) => value + (end < i && !axis ? 0.01 : 0)));
        ctx.lineWidth = Math.max(1, 2 * view.brushRadius(this.axis, this.radii[end / 2]) * view.ratio);
        ctx.stroke();
      }
    } else {
      if (p.length === 2 || start + 2 >= p.length) ctx.lineTo(x + 0.01, y);
      ctx.lineWidth = this.tool.thin ? 3 * view.ratio : Math.max(1, 2 * view.brushRadius(this.axis, this.tool.radius) * view.ratio);
      ctx.stroke();
    }
    ctx.restore();
  }
}

const MOST_CORNERS = 24; // with more the polygon is drawn freehand, and its corners are no places that were chosen

// The polygon under way, on a canvas above all layers: light on dark, so that it shows on any ground, even its own colour.
function sketch(ctx, view, stroke) {
  ctx.clearRect(0, 0, ctx.canvas.width, ctx.canvas.height);
  if (!stroke?.area || stroke.axis !== view.shown.axis || stroke.index !== view.shown.index) return;
  const corners = [];
  const places = stroke.corners;
  for (let i = 0; i < places.length; i += 2) corners.push(view.toDevice(stroke.axis, places[i] + 0.5, places[i + 1] + 0.5));
  const outline = new Path2D();
  for (const [x, y] of corners) outline.lineTo(x, y);
  outline.closePath();
  ctx.lineJoin = "round";
  for (const [color, width] of [["#000", 4], ["#fff", 1.5]]) {
    ctx.strokeStyle = ctx.fillStyle = color;
    ctx.lineWidth = width * view.ratio;
    ctx.stroke(outline);
    if (corners.length > MOST_CORNERS) continue;
    const half = (width / 2 + 2) * view.ratio;
    for (const [x, y] of corners) ctx.fillRect(x - half, y - half, 2 * half, 2 * half);
  }
}

class Ink {
  constructor(view) {
    this.view = view;
    this.strokes = new Map(); // by id, until a frame carries them
    this.active = null;
    this.count = 0;
    this.drawn = 0;
    this.timer = setInterval(() => this.tick(), PART_MS);
  }

  of(layer) {
    return [...this.strokes.values()].filter((stroke) => stroke.tool.layer === layer);
  }

  get late() { // strokes that nobody has acknowledged for too long
    const now = performance.now();
    return [...this.strokes.values()].filter((s) => s.ended && s.sequence === null && now - s.time > RESEND_MS);
  }

  begin(tool, row, column, radius) {
    const stroke = new Stroke(`${this.view.id}-${++this.count}`, this.view.model.get("place"), this.view.shown, tool);
    this.strokes.set(stroke.id, stroke);
    this.active = stroke;
    this.drawn = 0;
    stroke.add(row, column, radius);
    this.show();
    return stroke;
  }

  // Strokes of a view that is not there any more: of another page, or of a kernel that is gone.
  adopt() {
    const place = this.view.model.get("place"), orphans = place ? keptStrokes.orphans(place) : [];
    for (const { id, axis, index, tool, points, radii } of orphans) {
      if (this.strokes.has(id)) continue;
      const stroke = new Stroke(id, place, { axis, index }, tool);
      Object.assign(stroke, { points, radii, ended: true, again: true });
      this.strokes.set(id, stroke);
      this.send(stroke);
    }
    if (!orphans.length) return;
    const words = orphans.length === 1 ? "A stroke that was under way is" : `${orphans.length} strokes that were under way are`;
    this.view.controls.say(`${words} painted now`);
    this.view.redraw();
  }

  // The kernel is gone: what is under way stays with the page, for the view that comes after this one.
  leave() {
    if (this.active) keptStrokes.put(this.active);
    this.active = null;
  }

  extend(points, radius) {
    const stroke = this.active;
    for (const [row, column] of points) {
      const n = stroke.points.length;
      if (Math.abs(stroke.points[n - 2] - row) + Math.abs(stroke.points[n - 1] - column) > 1e-3) stroke.add(row, column, stroke.radii ? radius ?? stroke.radii.at(-1) : undefined);
    }
    this.show();
  }

  // The corner opposite to the first one.
  span(point) {
    this.active.points.splice(2, Infinity, ...point);
    this.show();
  }

  endSpan() {
    const [top, left, bottom, right] = this.active.points;
    if (bottom === undefined || (top === bottom && left === right)) this.cancel(); // a click is no box
    else this.end();
  }

  // Only the new piece is drawn: the cost of a move does not grow with the stroke.
  show() {
    const stroke = this.active;
    if (stroke.area) return this.view.redraw();
    const layer = this.view.layers.get(stroke.tool.layer);
    if (layer) stroke.draw(layer.canvas.getContext("2d"), this.view, this.drawn);
    this.drawn = stroke.points.length;
  }

  end() {
    const stroke = this.active;
    this.active = null;
    if (!stroke) return;
    stroke.ended = true;
    this.send(stroke);
    this.view.redraw();
  }

  cancel() {
    if (!this.active) return;
    this.strokes.delete(this.active.id);
    keptStrokes.drop(this.active.id);
    if (this.active.part) this.view.send({ kind: "drop", id: this.active.id });
    this.active = null;
    this.view.redraw();
  }

  tick() {
    if (this.view.gone) return;
    const stroke = this.active;
    if (stroke && stroke.shape === "brush" && !stroke.whole && (stroke.points.length > stroke.sent || performance.now() - stroke.time > ALIVE_MS)) this.send(stroke);
    for (const waiting of this.view.away ? [] : this.late) {
      waiting.sent = waiting.part = 0; // everything again, from the start; the kernel knows the id
      this.view.controls.say("A stroke is not saved yet; sending it again", true);
      this.resending = true;
      this.send(waiting);
    }
  }

  send(stroke) {
    keptStrokes.put(stroke);
    const { name, value, layer, options } = stroke.tool, count = stroke.points.length / 2;
    for (const { from, to, radius } of stroke.runs) {
      const points = new Float32Array(stroke.points.slice(2 * from, 2 * to));
      this.view.send({
        kind: "stroke", id: stroke.id, part: stroke.part, first: from, last: stroke.ended && to === count, tool: name,
        axis: stroke.axis, index: stroke.index, radius, value, layer, options, place: stroke.place, again: !!stroke.again,
      }, [points.buffer]);
      stroke.sent = 2 * to;
      stroke.part += 1;
    }
    stroke.time = performance.now();
  }

  acknowledged(message) {
    keptStrokes.drop(message.id);
    const stroke = this.strokes.get(message.id);
    if (!stroke) return;
    if (this.resending) { this.resending = false; this.view.controls.say(""); }
    const shown = this.view.layers.get(stroke.tool.layer)?.data?.sequence ?? -1;
    if (message.sequence === null || message.sequence <= shown) { // refused, or in what is shown already
      this.strokes.delete(message.id);
      this.view.redraw();
    } else {
      stroke.sequence = message.sequence;
      this.view.pump();
    }
  }

  // The edit that a layer of a plane has to show before the ink of its strokes may go.
  awaited(layer, axis, index) {
    const here = this.of(layer).filter((stroke) => stroke.axis === axis && stroke.index === index);
    return Math.max(-1, ...here.map((stroke) => stroke.sequence ?? -1));
  }

  // A frame of `layer` at `sequence` shows every stroke up to there; strokes of other planes need no ink any more.
  arrived(layer, axis, index, sequence) {
    for (const [id, stroke] of this.strokes) {
      if (stroke.tool.layer === layer && stroke.sequence !== null && stroke.sequence <= sequence) this.strokes.delete(id);
    }
  }

  close() {
    clearInterval(this.timer);
  }
}
