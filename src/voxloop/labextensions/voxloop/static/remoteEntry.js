// What the page does for voxloop beside its widgets: runs the cell of the start notebook, and hands notifications on.
// A prebuilt extension written by hand: it needs nothing of JupyterLab but the application, so there is nothing to build.
(() => {
  // the one cell that is run without a click; a notebook with other code in it waits for its reader
  const CELL = "import voxloop as vl\n\nbench = vl.Workbench()\nbench";

  const untouched = (cell) =>
    cell?.model?.type === "code" && cell.model.trusted && cell.model.sharedModel.getSource() === CELL
    && cell.model.executionCount === null && cell.model.outputs.length === 0;

  const begin = async (app, panel) => {
    const book = panel?.context?.model;
    if (!book?.getMetadata || !panel.sessionContext) return;
    await panel.context.ready;
    if (!book.getMetadata("voxloop")?.start) return;
    await panel.sessionContext.ready;
    await panel.revealed;
    if (app.shell.currentWidget !== panel || !untouched(panel.content.widgets[0])) return;
    app.shell.collapseLeft?.(); // the picture needs the width
    panel.content.deselectAll();
    panel.content.activeCellIndex = 0;
    await app.commands.execute("notebook:run-cell");
  };

  const notify = (app) => (event) => {
    if (!app.commands.hasCommand("apputils:notify")) return;
    const { message, type } = event.detail;
    app.commands.execute("apputils:notify", { message, type, options: { autoClose: type === "error" ? false : 8000 } });
    event.preventDefault(); // tells the sender that it was shown
  };

  const page = {
    id: "voxloop:page",
    description: "Runs the start notebook of voxloop, and says that a run has ended.",
    autoStart: true,
    activate: (app) => {
      document.addEventListener("voxloop:notify", notify(app));
      const look = () => begin(app, app.shell.currentWidget).catch((error) => console.warn("voxloop", error));
      app.restored.then(() => {
        app.shell.currentChanged?.connect(look);
        look();
      });
    },
  };

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB.voxloop = { init: () => {}, get: async () => () => ({ __esModule: true, default: page }) };
})();
