// Whether the kernel behind a widget still hears: "there", "away" (no connection now) or "gone" (nobody will answer).
// Front ends that do not tell of their kernel are taken to have one for as long as messages can be sent.

const GONE_WORDS = "This panel's kernel was restarted: run the cell again";
const AWAY_MS = 1500; // a connection that comes back so soon was none to speak of

class KernelWatch {
  constructor(model, el, tell) {
    Object.assign(this, { model, el, tell, state: "there", disposers: [] });
    const live = () => { if (this.el.closest(".jupyter-widgets-disconnected")) this.set("gone"); };
    model.on("comm_live_update", live);
    this.disposers.push(() => model.off("comm_live_update", live), () => clearTimeout(this.leaving));
    const kernel = model.widget_manager?.kernel;
    this.follow(kernel?.statusChanged, (_, status) => { if (/^(dead|restarting|autorestarting)$/.test(status)) this.set("gone"); });
    this.follow(kernel?.disposed, () => this.set("gone"));
    this.follow(kernel?.connectionStatusChanged, (_, status) => this.connection(kernel, status));
  }

  follow(signal, slot) {
    if (!signal?.connect) return;
    signal.connect(slot);
    this.disposers.push(() => signal.disconnect(slot));
  }

  connection(kernel, status) {
    clearTimeout(this.leaving);
    if (status !== "connected") this.leaving = setTimeout(() => this.set("away"), AWAY_MS);
    else this.ask(kernel);
  }

  async ask(kernel) { // it may be another process by now, which knows nothing of this widget
    const name = this.model.get("comm_name");
    try {
      const { content } = await kernel.requestCommInfo({ target_name: "jupyter.widget" });
      if (name && content.status === "ok" && !(name in content.comms)) return this.set("gone");
      this.set("there");
    } catch { /* the connection went again, and says so */ }
  }

  set(state) {
    if (this.state === state || this.state === "gone" || this.closed) return;
    clearTimeout(this.leaving);
    this.state = state;
    this.tell(state);
  }

  close() {
    this.closed = true;
    for (const dispose of this.disposers) dispose();
  }
}

// The panel around `el` says across itself that it is dead, and nothing in it can be used any more.
function sayWhenGone(model, el) {
  const watch = new KernelWatch(model, el, (state) => {
    if (state !== "gone") return;
    const panel = el.closest(".vx-root");
    if (!panel || panel.querySelector(":scope > .vx-gone")) return;
    for (const child of panel.children) child.inert = true;
    const words = document.createElement("div");
    words.className = "vx-gone";
    words.setAttribute("role", "alert");
    words.textContent = GONE_WORDS;
    panel.prepend(words);
  });
  return () => watch.close();
}
