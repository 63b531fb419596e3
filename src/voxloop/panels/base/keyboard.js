// Who hears a key: what is pressed inside a panel stays there. One listener for the page, whichever panels it shows.
// JupyterLab listens on the document, and some of its keys (D D, X, M) delete or change cells.

const HOME = ".vx-root, .vl-view"; // a panel, or a picture by itself
const SUPPRESS = "data-lm-suppress-shortcuts"; // JupyterLab looks for it on the way up from what has the focus
const TEXT = "input:not([type=range]):not([type=checkbox]):not([type=radio]):not([type=button]):not([type=color]), "
  + "textarea, select, [contenteditable=true], .cm-editor";
const STEPS = /^(Arrow|Page|Home$|End$)/;

function isEditable(node) {
  return !!node?.closest?.(TEXT);
}

// Keys that a control uses itself when it has the focus: no picture takes them away from it. A button that was clicked
// with the mouse has had its press: Space then belongs to the picture.
function usesItself(node, key, clicked) {
  if (isEditable(node)) return true;
  if (node.matches?.("input[type=range]:not(.vl-slider), [role=slider]")) return STEPS.test(key);
  if (key === " " && node.matches?.("button") && node === clicked) return false;
  if (key === " " && node.matches?.(".vx-rows-line")) return false; // nothing comes of it there
  if (node.closest?.(".vx-class-name, .vx-rows-line")) return STEPS.test(key) || ["Enter", " ", "F2", "Delete"].includes(key);
  return !!node.matches?.("button, input:not([type=range]), a[href], summary") && (key === "Enter" || key === " ");
}

function isForThePage(event) { // to save, and to move on, is everybody's
  return event.key === "Tab" || ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "s");
}

const isInSight = (picture) => picture.root.getClientRects().length > 0;

class PageKeyboard {
  constructor() {
    this.pictures = new Set(); // each has `root`, `press(event)` and `release(event)` that say whether the key was used
    this.hovered = null; // the picture that the pointer came to last
    this.last = null; // the picture used last
    this.pressed = null; // the panel that the pointer was last pressed in
    this.clicked = null; // the button that it was last pressed on
    this.homes = new WeakSet();
    // on the window, capturing: before JupyterLab hears of anything
    window.addEventListener("keydown", (event) => this.down(event), true);
    window.addEventListener("keyup", (event) => this.up(event), true);
    window.addEventListener("pointerdown", (event) => this.pointed(event.target), true);
    window.addEventListener("focusin", (event) => this.focused(event.target), true);
  }

  add(picture) {
    this.pictures.add(picture);
    picture.root.addEventListener("pointerenter", () => { this.hovered = picture; });
    picture.root.addEventListener("pointerleave", () => this.leave(picture));
    picture.root.addEventListener("pointerdown", () => { this.last = picture; });
  }

  get under() { // the picture under the pointer; one that was hidden meanwhile saw no pointer leave
    return this.hovered && isInSight(this.hovered) ? this.hovered : null;
  }

  leave(picture) {
    if (this.hovered === picture) this.hovered = null;
    picture.left();
  }

  remove(picture) {
    this.leave(picture);
    this.pictures.delete(picture);
    if (this.last === picture) this.last = null;
  }

  homeOf(node) {
    const home = node?.closest?.(".vx-root") ?? node?.closest?.(HOME) ?? null;
    if (home && !this.homes.has(home)) {
      this.homes.add(home);
      home.setAttribute(SUPPRESS, "true");
      home.addEventListener("keydown", (event) => { if (!isForThePage(event)) event.stopPropagation(); });
    }
    return home;
  }

  pointed(node) {
    this.pressed = this.homeOf(node);
    this.clicked = node?.closest?.("button") ?? null;
  }

  focused(node) { // what holds the panel, such as the notebook, may take the focus; anything else is elsewhere
    const home = this.homeOf(node);
    if (this.pressed && home !== this.pressed && !node.contains?.(this.pressed)) this.pressed = null;
  }

  down(event) {
    const { target } = event, inside = this.homeOf(target);
    if (event.key.length > 1) this.clicked = null; // from here on keys move the focus
    inside?.toggleAttribute(SUPPRESS, !isForThePage(event));
    if (isForThePage(event) || event.isComposing) return;
    if (!inside && isEditable(target)) return; // somebody writes elsewhere
    const home = inside ?? (this.pressed?.isConnected ? this.pressed : null);
    if (!home && !this.under) return;
    if (inside && usesItself(target, event.key, this.clicked)) return;
    if (this.pictureFor(home, target)?.press(event)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    const isPlain = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!inside && (home || isPlain)) event.stopImmediatePropagation();
  }

  up(event) {
    let used = false;
    for (const picture of this.pictures) used = picture.release(event) || used;
    if (used) event.preventDefault(); // some browsers press the focused button when Space comes up
  }

  // The picture under the pointer, else the one with the focus, else the one of the panel: used last, or the first in sight.
  pictureFor(home, target) {
    if (this.under) return this.under;
    const here = [...this.pictures].filter((picture) => home.contains(picture.root) && isInSight(picture));
    return here.find((picture) => picture.root.contains(target)) ?? here.find((picture) => picture === this.last) ?? here[0];
  }
}

// Modules of several widgets share the one of the page.
function pageKeyboard() {
  const name = Symbol.for("voxloop keyboard");
  window[name] ??= new PageKeyboard();
  return window[name];
}
