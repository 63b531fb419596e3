// What panels are to those who do not see them: names, roles and states that ipywidgets gives no widget.

const set = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value); };
const pressed = (node, on) => set(node, "aria-pressed", String(on));
const wordsOf = (node) => node?.textContent.trim() ?? "";

const GIVE = {
  ".vx-steps": (bar) => { set(bar, "role", "tablist"); set(bar, "aria-label", "Steps"); },
  ".vx-steps .jupyter-button": (step) => {
    set(step, "role", "tab");
    set(step, "aria-selected", String(step.classList.contains("vx-here")));
  },
  ".vx-tools .jupyter-button": (tool) => pressed(tool, tool.classList.contains("vx-on")),
  ":is(.widget-toggle-button, .widget-toggle-buttons .jupyter-button)": (one) => pressed(one, one.classList.contains("mod-active")),
  ".vx-icon": (button) => set(button, "aria-label", (button.title || "").split(":")[0]),
  ".vx-group-head": (head) => set(head, "aria-expanded", String(!!head.querySelector(".fa-caret-down"))),
  ".vx-message": (line) => set(line, "role", "status"),
  ".vx-rows-line": (line) => set(line, "aria-current", String(line.classList.contains("vx-selected"))),
  ":is(.vx-log, .vx-run-list, .vx-message) > .widget-html-content": (text) => { // what scrolls is scrolled by keys, too
    if (text.scrollHeight > text.clientHeight + 1 || text.scrollWidth > text.clientWidth + 1) set(text, "tabindex", "0");
    else text.removeAttribute("tabindex");
  },
  "img:not([alt])": (picture) => set(picture, "alt", picture.title || "Preview"),
  ".noUi-handle": (handle) => {
    const slider = handle.closest(".widget-slider"), name = wordsOf(slider?.querySelector("label")) || "Value";
    const ends = [...slider?.querySelectorAll(".noUi-handle") ?? []];
    set(handle, "aria-label", ends.length < 2 ? name : `${name}, ${ends.indexOf(handle) ? "highest" : "lowest"}`);
  },
  ":is(input, select, textarea):not([type=checkbox], .vl-view *)": (field) => {
    if (field.labels?.length && [...field.labels].some((label) => wordsOf(label))) return;
    const name = field.title || field.placeholder || wordsOf(field.closest(".jupyter-widgets")?.querySelector("label"));
    if (name) set(field, "aria-label", name);
  },
};

class Roles {
  constructor(root) {
    this.root = root;
    this.observer = new MutationObserver(() => this.soon());
    this.observer.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "title"] });
    this.give();
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.give(); });
  }

  give() {
    for (const [selector, give] of Object.entries(GIVE)) for (const node of this.root.querySelectorAll(selector)) give(node);
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }
}
