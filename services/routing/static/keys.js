// Keys for those who work all day with the queue and the cases. They can be switched off (WCAG 2.1.4), and never act
// while somebody types.
const dialog = document.getElementById("keys");
const way = document.querySelector("[data-keys]");
const off = "redress.keys.off";

function stored(name) { try { return localStorage.getItem(name); } catch { return null; } }
function typing(where) {
  return where.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
}
function cases() { return [...document.querySelectorAll("[data-case] a.open")]; }
function present() { return document.activeElement?.closest?.("[data-case]"); }

function move(step) {
  const all = cases();
  if (!all.length) return;
  const here = all.indexOf(present()?.querySelector("a.open"));
  all[Math.min(Math.max(here < 0 ? 0 : here + step, 0), all.length - 1)].focus();
}

function claim() {
  const button = document.querySelector("#bulk-claim, #claim-button");
  if (!button) return;
  const boxes = [...document.querySelectorAll("[data-case] input[name=case]")];
  if (boxes.length && !boxes.some((box) => box.checked)) {
    const box = present()?.querySelector("input[name=case]");
    if (!box) return;
    box.checked = true;
  }
  button.click();
}

function note() {
  const area = document.getElementById("note-note");
  if (!area) return;
  area.closest("details").open = true;
  area.focus();
}

const does = {
  j: () => move(1),
  k: () => move(-1),
  o: () => present()?.querySelector("a.open")?.click(),
  x: () => present()?.querySelector("input[name=case]")?.click(),
  c: claim,
  n: note,
  "/": () => document.getElementById("q")?.focus(),
  "?": () => dialog.showModal(),
};

if (dialog?.showModal) {
  way.hidden = false;
  way.querySelector("[data-keys-open]").addEventListener("click", () => dialog.showModal());
  const on = dialog.querySelector("[data-keys-on]");
  on.checked = !stored(off);
  on.addEventListener("change", () => {
    try { on.checked ? localStorage.removeItem(off) : localStorage.setItem(off, "1"); } catch { /* for this page then */ }
  });
  const known = new Set([...dialog.querySelectorAll("kbd")].map((one) => one.textContent));
  document.addEventListener("keydown", (event) => {
    if (!on.checked || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (dialog.open || typing(event.target) || !known.has(event.key) || !does[event.key]) return;
    event.preventDefault();
    does[event.key]();
  });
}
