// Where on the screen a voxel is: planes of a volume, one camera for each axis, in micrometres. Pure: no page, no kernel.

const AXES = ["z", "y", "x"];
const LARGEST = 96; // device pixels of a voxel at the deepest zoom

class Eye {
  constructor(geometry) {
    this.geometry = geometry; // shape and spacing (micrometres), zyx
    this.cameras = {}; // by axis: centre y, x (micrometres from the plane's corner), zoom (CSS pixels per micrometre), fit
    this.width = this.height = 0; // of the stage, CSS pixels
    this.ratio = 1; // device pixels in one of them
  }

  plane(axis) {
    const { shape, spacing } = this.geometry;
    const [r, c] = [0, 1, 2].filter((i) => AXES[i] !== axis);
    const a = AXES.indexOf(axis);
    return { axis, a, r, c, rows: shape[r], columns: shape[c], sy: spacing[r], sx: spacing[c], depth: shape[a], step: spacing[a] };
  }

  get camera() { return this.cameraOf(this.axis); }

  cameraOf(axis) {
    if (!this.cameras[axis]) this.cameras[axis] = this.fitted(axis);
    return this.cameras[axis];
  }

  fitted(axis) {
    const { rows, columns, sy, sx } = this.plane(axis);
    const zoom = Math.min(this.width / (columns * sx), this.height / (rows * sy)) || 1;
    return { y: (rows * sy) / 2, x: (columns * sx) / 2, zoom, fit: true };
  }

  // Device pixels of a point in voxel edges.
  toDevice(axis, row, column) {
    const { sy, sx } = this.plane(axis), camera = this.cameraOf(axis);
    return [((column * sx - camera.x) * camera.zoom + this.width / 2) * this.ratio,
      ((row * sy - camera.y) * camera.zoom + this.height / 2) * this.ratio];
  }

  // Voxel coordinates (centres at integers) of a point in CSS pixels of the stage.
  toVoxel(x, y, axis = this.shown.axis) {
    const { sy, sx } = this.plane(axis), camera = this.cameraOf(axis);
    return [((y - this.height / 2) / camera.zoom + camera.y) / sy - 0.5,
      ((x - this.width / 2) / camera.zoom + camera.x) / sx - 0.5];
  }

  rectangle(axis, box) {
    const [x, y] = this.toDevice(axis, box[0], box[1]), [right, bottom] = this.toDevice(axis, box[2], box[3]);
    return { x, y, width: right - x, height: bottom - y };
  }

  window(margin = 0) { // the visible part of the current plane in voxel edges, cut to it
    const { rows, columns, sy, sx } = this.plane(this.axis), camera = this.camera;
    const h = (this.height / camera.zoom / 2) * (1 + 2 * margin), w = (this.width / camera.zoom / 2) * (1 + 2 * margin);
    return [Math.max(0, (camera.y - h) / sy), Math.max(0, (camera.x - w) / sx),
      Math.min(rows, (camera.y + h) / sy), Math.min(columns, (camera.x + w) / sx)];
  }

  brushRadius(axis, radius) { // CSS pixels; radius in voxels of the finer in-plane axis
    const { sy, sx } = this.plane(axis);
    return Math.max(0.5, radius) * Math.min(sy, sx) * this.cameraOf(axis).zoom;
  }

  // The camera that has `y`, `x` (micrometres) in the middle, or as near to it as leaves nothing beside the picture.
  over(axis, y, x, zoom) {
    const { rows, columns, sy, sx } = this.plane(axis);
    const middle = (at, extent, half) => (extent <= 2 * half ? extent / 2 : Math.max(half, Math.min(extent - half, at)));
    return { y: middle(y, rows * sy, this.height / zoom / 2), x: middle(x, columns * sx, this.width / zoom / 2), zoom, fit: false };
  }

  pixel() { return 1 / (this.camera.zoom * this.ratio); }

  // The camera of an axis nearer by `factor`; what is at x, y of the stage stays there.
  magnify(axis, factor, x, y) {
    const camera = this.cameraOf(axis), plane = this.plane(axis), fit = this.fitted(axis).zoom;
    const most = LARGEST / this.ratio / Math.min(plane.sy, plane.sx);
    const zoom = Math.max(Math.min(fit * 0.5, most), Math.min(most, camera.zoom * factor));
    const dx = x - this.width / 2, dy = y - this.height / 2;
    camera.x += dx / camera.zoom - dx / zoom;
    camera.y += dy / camera.zoom - dy / zoom;
    Object.assign(camera, { zoom, fit: false });
  }
}
