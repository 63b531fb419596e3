// Keys over a picture in three dimensions: arrows turn it, + and - go nearer and farther, Home shows all of it.

const SOLID_KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "+", "=", "-", "Home"];

class SolidKeys {
  constructor(root, model) {
    this.root = root;
    this.model = model;
    root.tabIndex = 0;
    root.setAttribute("role", "application");
    root.setAttribute("aria-label", "Three dimensions: arrows turn, + and - zoom, Home shows all");
    this.keyboard = pageKeyboard();
    this.keyboard.add(this);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !SOLID_KEYS.includes(event.key)) return false;
    this.model.send({ key: event.key, fine: event.shiftKey });
    return true;
  }

  release() { return false; }
  left() {}
  close() { this.keyboard.remove(this); }
}

function render({ model, el }) {
  return inPanel(el, () => {
    const root = el.closest(".vx-solid");
    return root ? [new SolidKeys(root, model)] : [];
  });
}

export default { render };
