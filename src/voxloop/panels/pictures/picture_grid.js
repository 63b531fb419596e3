// Thousands of small pictures: only the rows in sight are in the page. Draws from the model's traits; asks for what is
// in sight, the newest question wins, and keeps what was seen.

const GAP = 4, CAPTION = 17, EDGE = 10, OVER = 2, KEPT = 3000, ASK_MS = 60, LATEST_MS = 400;
// bits of a mark: status (2), quality (2), note, labelled, set (2), somebody
const STATUS = ["to do", "in progress", "done"], QUALITY = ["", "good", "unclear", "bad"], SETS = ["", "T", "V", "S"];
const ABOUT_SET = ["", "in the training set", "in the validation set", "in another training set"];

// Not as an object URL: making one waits for the browser's main process, a millisecond and more for each picture.
function asUrl(data) {
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode.apply(null, bytes.subarray(at, at + 8192));
  return `data:image/jpeg;base64,${btoa(text)}`;
}

function render({ model, el }) {
  el.classList.add("vx-grid");
  const box = document.createElement("div");
  box.className = "vx-grid-box";
  box.tabIndex = 0;
  box.setAttribute("role", "listbox");
  box.setAttribute("aria-multiselectable", "true");
  box.setAttribute("aria-label", "Pictures");
  const all = document.createElement("div");
  all.className = "vx-grid-all";
  const empty = document.createElement("div");
  empty.className = "vx-grid-empty";
  box.append(all, empty);
  // in a tree of its own: who watches the panel for changes need not look up at every row that is scrolled past
  const tree = el.attachShadow({ mode: "open" }), style = document.createElement("style");
  style.textContent = CSS;
  tree.append(style, box);

  let order = new Uint32Array(0), marks = new Uint16Array(0), tints = new Uint8Array(0);
  let ranges = [], cursor = -1, anchor = -1;
  let made = 0, columns = 1, width = 100, height = 120;
  const shown = new Map(), spare = [], seen = new Map(); // cells by position; free cells; pictures by item
  let frame = 0, timer = 0, waiting = 0, asked = "";

  const bytes = (name, Kind) => {
    const view = model.get(name);
    return view?.byteLength ? new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)) : new Kind(0);
  };
  const isChosen = (at) => ranges.some(([first, stop]) => at >= first && at < stop);

  // ------------------------------------------------------------------------------------------------- what is drawn

  function newCell() {
    const cell = document.createElement("div");
    cell.className = "vx-grid-cell";
    cell.setAttribute("role", "option");
    const picture = document.createElement("div"), image = document.createElement("img");
    picture.className = "vx-grid-picture";
    image.alt = "";
    image.draggable = false;
    image.decoding = "async";
    const stripe = document.createElement("div"), badges = document.createElement("div"), caption = document.createElement("div");
    const name = document.createElement("bdi");
    name.dir = "ltr";
    stripe.className = "vx-grid-class";
    badges.className = "vx-grid-badges";
    caption.className = "vx-grid-name";
    caption.append(name);
    picture.append(image, stripe, badges);
    cell.append(picture, caption);
    Object.assign(cell, { picture, image, stripe, badges, name, item: -1, told: "" });
    return cell;
  }

  function fill(cell, at) {
    const item = order[at], mark = marks[item] ?? 0, known = seen.get(item);
    const palette = model.get("palette"), tint = tints[item] ?? 0;
    const told = `${item} ${mark} ${tint} ${known?.made ?? ""} ${palette.length}`;
    if (cell.told !== told) {
      cell.told = told;
      cell.item = item;
      const status = mark & 3, quality = (mark >> 2) & 3, set = (mark >> 6) & 3;
      const label = tint ? palette[tint - 1] : null;
      if (cell.made !== known?.made) {
        cell.made = known?.made;
        if (known?.data) cell.image.src = known.url ||= asUrl(known.data);
        else cell.image.removeAttribute("src");
        cell.image.hidden = !known?.data;
      }
      cell.name.textContent = known?.name ?? "";
      cell.stripe.style.background = label ? label.color : "transparent";
      const badges = [
        status && [STATUS[status] === "done" ? "✓" : "…", STATUS[status] === "done" ? "vx-of-done" : "vx-of-progress"],
        quality && [{ good: "★", unclear: "?", bad: "✕" }[QUALITY[quality]], `vx-of-${QUALITY[quality]}`],
        mark & 16 && ["✎", "vx-of-note"], mark & 32 && ["L", "vx-of-labels"], set && [SETS[set], "vx-of-set"],
      ].filter(Boolean).map(([words, kind]) => {
        const badge = document.createElement("span");
        badge.textContent = words;
        badge.className = kind;
        return badge;
      });
      cell.badges.replaceChildren(...badges);
      const words = [
        known?.name || `item ${item}`, STATUS[status], QUALITY[quality], label?.name, mark & 32 ? "labelled" : "not labelled",
        mark & 16 ? "has a note" : "", ABOUT_SET[set], known && !known.data ? known.fault : "",
      ].filter(Boolean).join(", ");
      cell.setAttribute("aria-label", words);
    }
    const chosen = isChosen(at), here = at === cursor;
    if (cell.chosen !== chosen || cell.here !== here) { // what is set anew is looked at anew by the browser
      Object.assign(cell, { chosen, here });
      cell.className = `vx-grid-cell${chosen ? " vx-chosen" : ""}${here ? " vx-cursor" : ""}`;
      cell.setAttribute("aria-selected", String(chosen));
    }
  }

  function place(cell, at) {
    cell.id = `${id}-${at}`;
    cell.style.cssText = `width:${width - GAP}px;height:${height - GAP}px;transform:translate(${(at % columns) * width + GAP / 2}px,${Math.floor(at / columns) * height + GAP / 2}px)`;
    cell.picture.style.height = `${height - GAP - CAPTION - EDGE}px`;
    cell.setAttribute("aria-setsize", String(order.length));
    cell.setAttribute("aria-posinset", String(at + 1));
  }

  // Which position lies under the pointer: told by where it is, not by the cell that happens to be drawn there, which
  // may be drawn for another one a moment later.
  function under(event) {
    const edge = box.getBoundingClientRect(), zoom = edge.width / box.offsetWidth || 1;
    const x = (event.clientX - edge.left) / zoom - box.clientLeft, y = (event.clientY - edge.top) / zoom - box.clientTop;
    const column = Math.floor(x / width), at = Math.floor((y + box.scrollTop) / height) * columns + column;
    return x >= 0 && x < box.clientWidth && y >= 0 && y < box.clientHeight && column < columns && at < order.length ? at : -1;
  }

  function draw() {
    frame = 0;
    const count = order.length;
    const top = Math.max(0, Math.floor(box.scrollTop / height) - OVER);
    const bottom = Math.ceil((box.scrollTop + box.clientHeight) / height) + OVER;
    const first = top * columns, stop = Math.min(count, bottom * columns);
    for (const [at, cell] of shown) {
      if (at < first || at >= stop) {
        shown.delete(at);
        spare.push(cell);
        cell.style.display = "none";
      }
    }
    for (let at = first; at < stop; at++) {
      let cell = shown.get(at);
      if (!cell) {
        cell = spare.pop() ?? all.appendChild(newCell());
        place(cell, at);
        shown.set(at, cell);
      }
      fill(cell, at);
    }
    if (cursor >= 0 && shown.has(cursor)) box.setAttribute("aria-activedescendant", `${id}-${cursor}`);
    else box.removeAttribute("aria-activedescendant");
    ask();
  }
  const id = `vx-grid-${Math.random().toString(36).slice(2, 8)}`;
  const soon = () => { frame ||= requestAnimationFrame(draw); };

  // For what is in sight and not known, once the hand slows down; the kernel forgets what was asked before.
  function ask() {
    const now = performance.now();
    if (!timer) waiting = now;
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      const middle = box.scrollTop + box.clientHeight / 2;
      const far = (at) => Math.abs((Math.floor(at / columns) + 0.5) * height - middle);
      const wanted = [...shown.keys()].filter((at) => !seen.has(order[at])).sort((one, other) => far(one) - far(other));
      const items = wanted.map((at) => order[at]), text = items.join();
      if (text === asked) return;
      asked = text;
      if (items.length) model.send({ kind: "look", items });
    }, Math.max(0, Math.min(ASK_MS, waiting + LATEST_MS - now)));
  }

  function measure() {
    if (!box.clientWidth) return;
    const side = model.get("side"), before = columns;
    const kept = cursor >= 0 && shown.has(cursor) ? cursor : Math.floor(box.scrollTop / height) * columns;
    columns = Math.max(1, Math.floor((box.clientWidth - 2) / (side + GAP + EDGE)));
    width = Math.floor((box.clientWidth - 2) / columns);
    height = side + GAP + CAPTION + EDGE;
    all.style.height = `${Math.ceil(order.length / columns) * height}px`;
    empty.textContent = order.length ? "" : model.get("empty");
    empty.style.display = order.length ? "none" : "";
    asked = "";
    for (const [at, cell] of shown) if (at < order.length) place(cell, at); // each stays the cell of its position
    if (before !== columns) box.scrollTop = Math.floor(kept / columns) * height;
    soon();
  }

  // ------------------------------------------------------------------------------------------------- what is chosen

  // What is chosen goes along with every key: changes of traits may come later than messages. The version says in which
  // order the positions count; another one may be on its way here.
  function tell(kind, key = "") {
    model.set({ selected: ranges, cursor });
    model.send({ kind, key, selected: ranges, cursor, version: model.get("version") });
  }

  function choose(next, at, { scroll = true } = {}) {
    ranges = next;
    cursor = at;
    tell("choose");
    if (scroll) show(at);
    soon();
  }

  function show(at) {
    if (at < 0) return;
    const top = Math.floor(at / columns) * height;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
  }

  const one = (at) => [[at, at + 1]];
  const between = (from, to) => [[Math.min(from, to), Math.max(from, to) + 1]];

  function toggle(at) {
    if (!isChosen(at)) return [...ranges, [at, at + 1]].sort((a, b) => a[0] - b[0]);
    return ranges.flatMap(([first, stop]) => (at >= first && at < stop ? [[first, at], [at + 1, stop]] : [[first, stop]]))
      .filter(([first, stop]) => first < stop);
  }

  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const at = under(event);
    if (at < 0) return;
    if (event.shiftKey && anchor >= 0) choose(between(anchor, at), at, { scroll: false });
    else if (event.ctrlKey || event.metaKey) { anchor = at; choose(toggle(at), at, { scroll: false }); }
    else { anchor = at; choose(one(at), at, { scroll: false }); }
  });
  box.addEventListener("pointerover", (event) => { // only what is pointed at needs words under the pointer
    const cell = event.target.closest(".vx-grid-cell");
    if (cell) cell.title = cell.getAttribute("aria-label");
  });
  box.addEventListener("dblclick", (event) => {
    if (under(event) === cursor && cursor >= 0) tell("open");
  });

  box.addEventListener("keydown", (event) => {
    const count = order.length, control = event.ctrlKey || event.metaKey, key = event.key;
    const rows = Math.max(1, Math.floor(box.clientHeight / height) - 1);
    const steps = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, PageDown: rows * columns, PageUp: -rows * columns,
    };
    let used = true;
    if (key in steps || key === "Home" || key === "End") {
      if (!count || event.altKey) return;
      const from = cursor < 0 ? -1 : cursor;
      let at = key === "Home" ? 0 : key === "End" ? count - 1 : cursor < 0 ? 0 : from + steps[key];
      if (Math.abs(steps[key] ?? 0) === columns && (at < 0 || at >= count) && at - steps[key] === from) {
        at = key === "ArrowDown" && Math.floor(from / columns) < Math.floor((count - 1) / columns) ? count - 1 : from;
      }
      at = Math.min(count - 1, Math.max(0, at));
      if (event.shiftKey) { if (anchor < 0) anchor = Math.max(0, from); choose(between(anchor, at), at); }
      else if (control) choose(ranges, at);
      else { anchor = at; choose(one(at), at); }
    } else if (key === " " && cursor >= 0) { anchor = cursor; choose(toggle(cursor), cursor); }
    else if (control && key.toLowerCase() === "a") choose(count ? [[0, count]] : [], Math.max(cursor, count ? 0 : -1), { scroll: false });
    else if (key === "Escape" && ranges.length) choose([], cursor, { scroll: false });
    else if (key === "Enter" && cursor >= 0) tell("open");
    else if (control && key.toLowerCase() === "z") tell("key", event.shiftKey ? "redo" : "undo");
    else if (control && key.toLowerCase() === "y") tell("key", "redo");
    else if (!control && !event.altKey && key === "/") focus(".vx-grid-search input");
    else if (!control && !event.altKey && key === "n") focus(".vx-grid-note textarea");
    else if (!control && !event.altKey && model.get("hotkeys").includes(key.length > 1 ? key : key.toLowerCase())) {
      tell("key", key.length > 1 ? key : key.toLowerCase());
    } else used = false;
    if (used) {
      event.preventDefault();
      event.stopPropagation();
    }
  });

  const focus = (selector) => { el.closest(".vx-split")?.querySelector(selector)?.focus(); };

  // ------------------------------------------------------------------------------------------------------ the model

  const takeOrder = () => {
    order = bytes("order", Uint32Array);
    ranges = model.get("selected");
    cursor = model.get("cursor");
    measure();
  };
  const takeMarks = () => { marks = bytes("marks", Uint16Array); soon(); };
  const takeTints = () => { tints = bytes("tints", Uint8Array); soon(); };
  const takeChoice = () => { ranges = model.get("selected"); cursor = model.get("cursor"); if (cursor >= 0) anchor = cursor; soon(); };

  function forget(items) {
    for (const item of items ?? [...seen.keys()]) {
      seen.delete(item);
    }
    asked = "";
    soon();
  }

  const take = (message, buffers) => {
    if (message.kind === "pictures") {
      message.items.forEach((item, at) => {
        const data = buffers[at]?.byteLength ? buffers[at] : null;
        seen.set(item, { data, url: "", made: ++made, name: message.names[at], fault: message.faults[at] });
      });
      if (seen.size > KEPT) {
        const inSight = new Set([...shown.keys()].map((at) => order[at]));
        forget([...seen.keys()].filter((item) => !inSight.has(item)).slice(0, seen.size - KEPT / 2));
      }
      soon();
    } else if (message.kind === "forget") forget(message.items);
    else if (message.kind === "show") { show(message.at); soon(); }
    else if (message.kind === "focus") box.focus({ preventScroll: true });
  };

  const handlers = {
    "change:order": takeOrder, "change:marks": takeMarks, "change:tints": takeTints, "change:palette": soon,
    "change:side": measure, "change:empty": measure, "change:selected": takeChoice, "change:cursor": takeChoice, "msg:custom": take,
  };
  for (const [name, handler] of Object.entries(handlers)) model.on(name, handler);
  box.addEventListener("scroll", soon, { passive: true });
  const watch = new ResizeObserver(measure);
  watch.observe(box);
  marks = bytes("marks", Uint16Array);
  tints = bytes("tints", Uint8Array);
  takeOrder();
  return () => {
    watch.disconnect();
    clearTimeout(timer);
    cancelAnimationFrame(frame);
    for (const [name, handler] of Object.entries(handlers)) model.off(name, handler);
    forget();
  };
}
export default { render };
