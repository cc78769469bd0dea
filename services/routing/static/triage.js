// One keystroke for each button that has `data-key`. Keys are dead while somebody types, with a modifier, and once
// they are switched off, which the browser remembers. Without script the buttons do the same.
const STORED = "redress-triage-keys";
const place = document.querySelector("[data-keys]");
const box = place?.querySelector("input");
let on = true;
let sent = false;
try {
  on = localStorage.getItem(STORED) !== "off";
} catch {
  // a browser that keeps nothing
}
if (place) {
  place.hidden = false;
  box.checked = on;
  box.addEventListener("change", () => {
    on = box.checked;
    try {
      localStorage.setItem(STORED, on ? "on" : "off");
    } catch {
      // then it is as before the next time
    }
  });
}

const TYPING = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio])";
document.addEventListener("keydown", (event) => {
  if (!on || sent || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest?.(TYPING)) return;
  if (!/^[1-9a-z]$/i.test(event.key)) return;
  const wanted = document.querySelector(`[data-key="${event.key.toLowerCase()}"]`);
  if (!wanted) return;
  event.preventDefault();
  sent = true; // a key held too long decides nothing about the next complaint
  wanted.click();
});
// a page that comes back from the browser's memory listens again
addEventListener("pageshow", () => (sent = false));
