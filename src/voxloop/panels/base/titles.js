// What check boxes say under the pointer. ipywidgets makes their label, markup and all, their title; the help is within it.

function showPlainTitles(event) {
  const box = event.target.closest?.(".vx .widget-checkbox");
  if (!box) return;
  const help = box.querySelector("span span[title]")?.title ?? box.textContent;
  for (const node of box.querySelectorAll("[title^='<']")) node.title = help;
}

function plainTitles() { // once for the page, whichever panels it shows
  const name = Symbol.for("voxloop titles");
  if (window[name]) return;
  window[name] = showPlainTitles;
  for (const kind of ["pointerover", "focusin"]) window.addEventListener(kind, showPlainTitles, true);
}
