// A panel is as high as what scrolls around it shows: the notebook, an output in a tab of its own, or the window.

const SCROLLERS = ".jp-WindowedPanel-outer, .jp-LinkedOutputView, .jp-NotebookPanel-notebook, .jp-Notebook";
const AROUND = 26; // what a cell leaves above and below its output
const LEAST = 400; // a panel lower than this is of no use: it is scrolled then
const LEAST_IN_FRAME = 560; // of a frame that is as high as what is in it, no height can be known

class PageHeight {
  constructor(root, model) {
    Object.assign(this, { root, model });
    this.scroller = root.parentElement?.closest(SCROLLERS) ?? null;
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.scroller ?? document.documentElement);
    this.changed = () => this.measure();
    window.addEventListener("resize", this.changed);
    document.addEventListener("fullscreenchange", this.changed);
    this.pressed = (event) => { if (event.target.closest?.(".vx-steps button")) this.bringIntoSight(); };
    root.addEventListener("click", this.pressed);
    this.measure();
  }

  get room() {
    if (document.fullscreenElement === this.root) return window.innerHeight;
    if (this.scroller) return this.scroller.clientHeight - AROUND;
    return window === window.top ? window.innerHeight - AROUND : Math.max(LEAST_IN_FRAME, window.innerHeight - AROUND);
  }

  measure() {
    const room = this.room;
    if (room <= 0) return; // out of sight: measured again when it comes
    this.root.style.setProperty("--vx-page", `${Math.max(LEAST, room)}px`);
    this.bringFirst();
  }

  bringFirst() { // a panel that was just made shows wholly, where its beginning is looked at; once, not after a reload
    if (this.model.get("placed")) return;
    this.model.set("placed", true);
    this.model.save_changes();
    requestAnimationFrame(() => {
      const outer = this.scroller?.getBoundingClientRect(), inner = this.root.getBoundingClientRect();
      if (outer && inner.height && inner.top >= outer.top && inner.top < outer.bottom) this.bringIntoSight();
    });
  }

  bringIntoSight() { this.root.scrollIntoView({ block: "nearest" }); }

  close() {
    this.observer.disconnect();
    window.removeEventListener("resize", this.changed);
    document.removeEventListener("fullscreenchange", this.changed);
    this.root.removeEventListener("click", this.pressed);
  }
}
