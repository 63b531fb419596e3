// The page of messages: paste the one you got, and only those that it may be are left.
(() => {
  const field = document.getElementById("vx-message");
  const said = document.getElementById("vx-message-found");
  const plain = (text) => text.replace(/\s+/g, " ").trim().toLowerCase();
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const entries = [...document.querySelectorAll("article li > a[id]")].map((anchor) => {
    const item = anchor.parentElement;
    const words = plain(item.firstChild === anchor ? item.textContent : item.textContent.replace(anchor.textContent, ""));
    const parts = words.replace(/ → .*$/, "").split("…").map(escaped);
    return { item, words, pattern: new RegExp(parts.join(".*?")), length: parts.join("").length };
  });
  const lists = [...new Set(entries.map((entry) => entry.item.parentElement))];
  const between = [...document.querySelectorAll("#vx-message-found ~ h2, #vx-message-found ~ h3, #vx-message-found ~ p")];
  const show = () => {
    const asked = plain(field.value);
    const whole = entries.filter((entry) => entry.length > 6 && entry.pattern.test(asked));
    const found = !asked ? entries : whole.length ? whole : entries.filter((entry) => entry.words.includes(asked));
    const kept = new Set(found);
    for (const entry of entries) entry.item.hidden = !kept.has(entry);
    for (const list of lists) list.hidden = ![...list.children].some((item) => !item.hidden);
    for (const one of between) one.hidden = Boolean(asked);
    said.textContent = !asked ? "" : found.length === 1 ? "1 message" : `${found.length} messages`;
  };
  field.addEventListener("input", show);
})();
