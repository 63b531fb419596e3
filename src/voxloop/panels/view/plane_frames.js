// Frames as they came from the kernel, decoded and kept for a while: a step onto a plane that was fetched ahead costs
// one draw and no round trip. Knows no kernel and no canvas of a view.

const KEPT_BYTES = 96 * 2 ** 20;

class Frame {
  constructor(axis, index) {
    this.axis = axis;
    this.index = index;
    this.picture = null; // {bitmap, axis, index, box, pixel_um, looks, asked}; bitmap null: cannot be read
    this.layers = new Map(); // by id: {indices, alpha, rows, columns, box, sequence, fresh, asked}
  }

  get bytes() {
    let n = this.picture?.bitmap ? 4 * this.picture.bitmap.width * this.picture.bitmap.height : 0;
    for (const { indices, alpha } of this.layers.values()) n += indices.length + (alpha?.length ?? 0);
    return n;
  }
}

class Frames {
  constructor() {
    this.frames = new Map(); // by plane, the oldest first
    this.shown = null; // the picture on screen: its bitmap is kept whatever happens here
  }

  get(axis, index) { return this.frames.get(`${axis}${index}`); }

  // What came of a request; what is older than needed is kept for its looks, and fetched again.
  put(request, { picture, layers }) {
    const { axis, index } = request;
    const frame = this.get(axis, index) ?? new Frame(axis, index);
    this.frames.delete(`${axis}${index}`);
    this.frames.set(`${axis}${index}`, frame);
    const asked = { box: request.box, pixel_um: request.pixel_um, fine: request.fine };
    if (picture) {
      this.close(frame.picture);
      frame.picture = { ...picture, axis, index, asked, looks: [JSON.stringify(picture.look), request.look] };
    }
    const empty = { indices: new Uint8Array(1), alpha: null, rows: 1, columns: 1, box: request.box, sequence: -1 };
    const gone = request.layers.filter((id) => !layers.some((layer) => layer.id === id)); // unknown to the kernel, or unreadable
    for (const layer of [...layers, ...gone.map((id) => ({ ...empty, id }))]) {
      const needed = request.spoiled.get(layer.id);
      frame.layers.set(layer.id, { ...layer, axis, index, asked, fresh: needed === undefined || layer.sequence >= needed });
    }
    let bytes = 0;
    for (const one of this.frames.values()) bytes += one.bytes;
    for (const [key, one] of this.frames) {
      if (bytes <= KEPT_BYTES) break;
      if (one === frame) continue;
      bytes -= one.bytes;
      this.frames.delete(key);
      this.close(one.picture);
    }
    return frame;
  }

  // Layers changed, in a box of voxels (null: anywhere); what shows edit `sequence` already is right.
  spoil(ids, region, sequence) {
    for (const frame of this.frames.values()) {
      if (!touches(region, frame)) continue;
      for (const id of ids) {
        const layer = frame.layers.get(id);
        if (layer && layer.sequence < sequence) layer.fresh = false;
      }
    }
  }

  forget(axis, index) { this.frames.delete(`${axis}${index}`); }

  clear() {
    for (const { picture } of this.frames.values()) this.close(picture);
    this.frames.clear();
  }

  show(picture) {
    const key = picture && `${picture.axis}${picture.index}`, frame = key && this.frames.get(key);
    if (frame) { this.frames.delete(key); this.frames.set(key, frame); } // the newest now
    const before = this.shown;
    this.shown = picture;
    if (before && before !== picture && this.get(before.axis, before.index)?.picture !== before) this.close(before);
  }

  close(picture) {
    if (picture && picture !== this.shown) picture.bitmap?.close();
  }
}

function touches(region, { axis, index }) {
  if (!region) return true;
  const [start, stop] = region[AXES.indexOf(axis)];
  return start <= index && index < stop;
}

// Whether what was asked for `asked.box` at `asked.pixel_um` serves this window; a pixel of 0 asks for no resolution.
function serves(asked, box, pixel_um) {
  return asked.box[0] <= box[0] + 1 && asked.box[1] <= box[1] + 1 && asked.box[2] >= box[2] - 1 && asked.box[3] >= box[3] - 1 &&
    (!pixel_um || Math.abs(pixel_um / asked.pixel_um - 1) <= 0.01);
}

// ------------------------------------------------------------------------------------------------------------ decoding

async function decodePicture(bytes, gray) {
  if (gray && typeof ImageDecoder !== "undefined") { // twice as fast as by way of a Blob; not every browser has it
    const decoder = new ImageDecoder({ data: bytes, type: "image/jpeg" });
    try {
      const { image } = await decoder.decode();
      try { return await createImageBitmap(image); } finally { image.close(); }
    } finally { decoder.close(); }
  }
  return createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
}

async function inflate(view) {
  const stream = new Blob([view]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function decodeFrame({ picture, layers }, buffers) {
  const indices = layers.map((layer) => inflate(buffers[layer.buffer]));
  const alphas = layers.map((layer) => (layer.alpha_buffer === null ? null : inflate(buffers[layer.alpha_buffer])));
  const bitmap = picture && decodePicture(buffers[picture.buffer], picture.gray);
  return {
    picture: picture && { ...picture, bitmap: await bitmap },
    layers: await Promise.all(layers.map(async (layer, i) => ({ ...layer, indices: await indices[i], alpha: await alphas[i] }))),
  };
}
