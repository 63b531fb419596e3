// The classes of a level: one line each, with colour, count, key, eye and lock. Says what was asked for; keeps nothing.

const PATHS = {
  eye: "M1.5 8S4 3.6 8 3.6 14.5 8 14.5 8 12 12.4 8 12.4 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  shut: "M1.5 8S4 12.4 8 12.4 14.5 8 14.5 8M3.4 11 2.2 12.4M8 12.6v1.8M12.6 11l1.2 1.4",
  locked: "M4 7.2h8v6H4zM5.6 7V5.2a2.4 2.4 0 0 1 4.8 0V7",
  open: "M4 7.2h8v6H4zM5.6 7V4.6a2.4 2.4 0 0 1 4.6-.9",
  plus: "M8 3.2v9.6M3.2 8h9.6",
  bin: "M3 4.5h10M6.2 4.5V3h3.6v1.5M4.4 4.5l.6 8.5h6l.6-8.5",
};

function render({ model, el }) {
  el.classList.add("vx-classes");
  const send = (action, values = {}) => model.send({ action, ...values });
  const node = (tag, classes, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), { className: classes }, properties);
    made.append(...children);
    return made;
  };
  const icon = (name, title, on, action) => {
    const button = node("button", "vx-class-icon" + (on ? " vx-on" : ""), { type: "button", title, ariaLabel: title, ariaPressed: String(on) });
    button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${PATHS[name]}"/></svg>`;
    button.addEventListener("click", (event) => { event.stopPropagation(); action(); });
    return button;
  };

  const line = (item) => {
    const chosen = item.value === model.get("value");
    const { value } = item;
    const swatch = node("input", "vx-class-color", { type: "color", value: item.color, title: "Colour", ariaLabel: `Colour of ${item.name}` });
    swatch.addEventListener("click", (event) => event.stopPropagation());
    swatch.addEventListener("change", () => send("change", { value, changes: { color: swatch.value } }));
    const name = node("button", "vx-class-name",
      { type: "button", title: `${item.name}: double click or F2 to rename`, textContent: item.name, ariaPressed: String(chosen) });
    name.dataset.value = value;
    name.addEventListener("dblclick", () => rename(name, item));
    const row = node("div", "vx-class" + (chosen ? " vx-chosen" : ""), { role: "listitem" },
      swatch, name, node("span", "vx-class-count", { textContent: count(item.count), title: `${item.count.toLocaleString()} voxels` }),
      item.shortcut ? node("kbd", "", { textContent: item.shortcut }) : node("span", ""),
      icon(item.visible ? "eye" : "shut", item.visible ? "Hide" : "Show", item.visible, () => send("change", { value, changes: { visible: !item.visible } })),
      icon(item.locked ? "locked" : "open", item.locked ? "Locked: nothing paints over it" : "Lock", item.locked,
        () => send("change", { value, changes: { locked: !item.locked } })));
    row.dataset.value = value;
    row.addEventListener("click", () => send("choose", { value }));
    name.addEventListener("keydown", (event) => {
      const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
      if (next) next.querySelector(".vx-class-name").focus();
      else if (event.key === "F2") rename(name, item);
      else if (event.key === "Delete") send("remove", { value });
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return row;
  };

  const rename = (place, item) => edit(place, item.name, (text) => send("change", { value: item.value, changes: { name: text } }));

  const edit = (place, text, done) => {
    const input = node("input", "vx-class-edit", { type: "text", value: text });
    let ended = false;
    const end = (keep) => {
      if (ended) return;
      ended = true;
      input.remove();
      draw();
      if (keep && input.value.trim() && input.value.trim() !== text) done(input.value.trim());
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
    });
    input.addEventListener("blur", () => end(true));
    input.addEventListener("click", (event) => event.stopPropagation());
    place.replaceWith(input);
    input.focus();
    input.select();
  };

  const count = (n) => (n >= 1e6 ? `${(n / 1e6).toPrecision(3)} M` : n >= 1e4 ? `${Math.round(n / 1e3)} k` : n ? String(n) : "–");

  const draw = () => {
    if (el.querySelector(".vx-class-edit")) return; // never take a name away from under the typing hand
    const focused = el.contains(document.activeElement) ? document.activeElement.dataset.value : undefined;
    const rows = model.get("classes").map(line), nameIn = (row) => row.querySelector(".vx-class-name");
    const add = node("button", "vx-class-add", { type: "button" });
    add.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${PATHS.plus}"/></svg><span>Add class</span>`;
    add.addEventListener("click", () => edit(add, "", (text) => send("add", { name: text })));
    el.replaceChildren(node("div", "vx-class-rows", { role: "list", ariaLabel: "Classes" }, ...rows), ...(model.get("editable") ? [add] : []));
    rows.map(nameIn).find((name) => name.dataset.value === focused)?.focus();
  };

  const events = "change:classes change:value change:editable";
  model.on(events, draw);
  draw();
  return () => model.off(events, draw);
}

export default { render };
