// Keeps what is typed in a step's form on this device until the step is taken: a closed tab, a lost connection or an
// ended session costs nobody their words. A form that was kept on the server drops its draft.
const prefix = "redress.draft.";
const oldest = 7 * 24 * 3600 * 1000; // ms
const offline = document.getElementById("offline");

function read(key) { try { return JSON.parse(localStorage.getItem(prefix + key)); } catch { return null; } }
function write(key, text) {
  try {
    if (text) localStorage.setItem(prefix + key, JSON.stringify({ text, at: Date.now() }));
    else localStorage.removeItem(prefix + key);
  } catch { /* a full or forbidden storage keeps nothing, and the form works all the same */ }
}

try {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(prefix) && !(Date.now() - (read(key.slice(prefix.length))?.at ?? 0) < oldest)) localStorage.removeItem(key);
  }
} catch { /* no storage */ }

const kept = document.querySelector("[data-kept]")?.dataset.kept;
for (const form of document.querySelectorAll("form[data-keep]")) {
  for (const area of form.querySelectorAll("textarea")) {
    const key = `${form.dataset.keep}/${area.id}`;
    if (form.dataset.keep === kept) write(key, "");
    const draft = read(key);
    if (draft?.text && !area.value) {
      area.value = draft.text;
      const fold = area.closest("details");
      if (fold) fold.open = true;
    }
    area.addEventListener("input", () => write(key, area.value));
    if (area.value) write(key, area.value);
  }
  form.addEventListener("submit", async (event) => {
    if (form.dataset.sure) return;
    event.preventDefault();
    try {
      await fetch(offline.dataset.ping, { cache: "no-store" });
    } catch {
      offline.hidden = false;
      offline.scrollIntoView({ block: "center" });
      return;
    }
    offline.hidden = true;
    form.dataset.sure = "1";
    form.requestSubmit(event.submitter ?? undefined);
  });
}
addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[data-keep]")) delete form.dataset.sure; });
addEventListener("online", () => { if (offline) offline.hidden = true; });
