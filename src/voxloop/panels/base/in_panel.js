// Runs `begin(root)` once the panel around an element is in the page: widgets are drawn before they are put into it.
// What it returns is closed with the element; so is the waiting.

function inPanel(el, begin) {
  let begun = null;
  const look = () => {
    const root = el.closest(".vx-root");
    if (root?.isConnected) begun = begin(root);
    return !!begun;
  };
  const waiting = new MutationObserver(() => { if (look()) waiting.disconnect(); });
  if (!look()) waiting.observe(document.body, { childList: true, subtree: true });
  return () => { waiting.disconnect(); for (const part of begun ?? []) part.close(); };
}
