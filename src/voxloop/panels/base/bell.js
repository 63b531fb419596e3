// Tells that a run has ended: in JupyterLab, and by the browser where the page is out of sight and that was allowed.

const known = typeof Notification !== "undefined";
const OFF = "voxloop quiet"; // in localStorage: allowed, but not wanted now

const wanted = () => known && Notification.permission === "granted" && !localStorage.getItem(OFF);

function tell({ words, kind }) {
  const detail = { message: `voxloop: ${words}`, type: kind === "error" ? "error" : "success" };
  document.dispatchEvent(new CustomEvent("voxloop:notify", { detail, cancelable: true })); // JupyterLab's, where it listens
  if (wanted() && document.hidden) new Notification("voxloop", { body: words, tag: words });
}

function initialize({ model }) {
  const hear = (message) => { if (message?.tell) tell(message.tell); };
  model.on("msg:custom", hear);
  return () => model.off("msg:custom", hear);
}

function render({ el }) {
  el.classList.add("vx-bell");
  const button = document.createElement("button");
  button.className = "jupyter-button widget-button vx-link vx-icon";
  const icon = document.createElement("i");
  button.append(icon);
  const draw = () => {
    const on = wanted();
    icon.className = on ? "fa fa-bell" : "fa fa-bell-o";
    button.setAttribute("aria-pressed", String(on));
    button.title = on
      ? "This browser says when a run ends while the page is out of sight; click to be left alone"
      : "Let this browser say when a run ends while the page is out of sight";
    if (known && Notification.permission === "denied") button.title = "This browser does not let the page notify you; its settings do";
    button.setAttribute("aria-label", button.title);
  };
  button.addEventListener("click", async () => {
    if (Notification.permission === "default") await Notification.requestPermission();
    else if (localStorage.getItem(OFF)) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
    draw();
  });
  draw();
  if (known) el.append(button);
}
export default { initialize, render };
