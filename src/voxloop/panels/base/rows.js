// A list of rows with actions: files, samples, runs. Draws what it is given, and says which row was chosen.
function render({ model, el }) {
  el.classList.add("vx-rows");
  const box = document.createElement("div"); // scrolls in place of el, whose own styles ipywidgets' layout takes away
  box.className = "vx-rows-box";
  const table = document.createElement("table");
  table.className = "vx-table";
  box.append(table);
  el.append(box);
  let asked = { id: "", timer: 0 }; // which action waits for a second click; rows may be drawn anew meanwhile

  const send = (action, key) => model.send({ action, key });

  const actionButton = (action, key) => {
    const button = document.createElement("button");
    button.className = "jupyter-button widget-button vx-link vx-small-button";
    button.textContent = action.label;
    button.title = action.title ?? "";
    const id = `${action.name} ${key}`;
    if (asked.id === id) {
      button.textContent = action.confirm;
      button.classList.add("vx-danger");
    }
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      const sure = !action.confirm || asked.id === id;
      clearTimeout(asked.timer);
      asked = sure ? { id: "", timer: 0 } : { id, timer: setTimeout(() => { asked.id = ""; draw(); }, 3000) };
      if (sure) send(action.name, key);
      draw();
    });
    return button;
  };

  const cells = (tag, texts, right) => texts.map((markup, at) => {
    const cell = document.createElement(tag);
    cell.innerHTML = markup;
    if (right.includes(at)) cell.classList.add("vx-right");
    return cell;
  });

  const sortButton = () => {
    const button = document.createElement("button");
    const sorted = model.get("by_rank");
    button.className = "vx-sort";
    button.textContent = sorted ? "▼" : "▽";
    button.title = sorted ? "Sorted, the highest first; click for the order of before" : "Sort, the highest first";
    button.setAttribute("aria-pressed", String(sorted));
    button.addEventListener("click", () => send("sort", ""));
    return button;
  };

  const draw = () => {
    const active = table.contains(document.activeElement) ? document.activeElement : undefined;
    const focused = active?.closest("tr").dataset.key;
    const sorting = active?.matches(".vx-sort");
    const place = active?.matches("button") ? [...active.parentElement.children].indexOf(active) : -1;
    const right = model.get("right");
    table.replaceChildren();
    const rows = model.get("rows");
    const head = model.get("head");
    if (head.length && rows.length) {
      const line = document.createElement("tr");
      line.append(...cells("th", head, right), document.createElement("th"));
      const ranked = line.children[model.get("ranked")];
      if (ranked) ranked.append(sortButton());
      table.append(line);
    }
    for (const row of rows) {
      const line = document.createElement("tr");
      line.tabIndex = 0;
      line.dataset.key = row.key;
      line.title = row.title ?? "";
      line.className = "vx-rows-line" + (row.key === model.get("selected") ? " vx-selected" : "");
      const last = document.createElement("td");
      last.className = "vx-actions";
      last.append(...(row.actions ?? []).map((action) => actionButton(action, row.key)));
      line.append(...cells("td", row.cells, right), last);
      line.addEventListener("click", () => send("open", row.key));
      line.addEventListener("keydown", (event) => {
        if (event.target !== line) return;
        const step = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling }[event.key];
        if (step) step.focus();
        else if (event.key === "Enter") send("open", row.key);
        else return;
        event.preventDefault();
        event.stopPropagation();
      });
      table.append(line);
      if (row.key === focused) (last.children[place] ?? line).focus({ preventScroll: true });
    }
    if (sorting) table.querySelector(".vx-sort")?.focus({ preventScroll: true });
    if (!rows.length) {
      const empty = document.createElement("caption");
      empty.textContent = model.get("empty");
      table.append(empty);
    }
  };

  const limit = () => {
    box.style.maxHeight = model.get("height") ? `${model.get("height")}px` : "";
  };
  const events = "change:rows change:selected change:head change:empty change:by_rank";
  model.on(events, draw);
  model.on("change:height", limit);
  draw();
  limit();
  return () => { clearTimeout(asked.timer); model.off(events, draw); model.off("change:height", limit); };
}
export default { render };
