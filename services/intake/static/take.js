// Keeps what an agent has written, in this tab alone: it is personal data. It goes when the complaint is taken in and on signing out.
const PREFIX = "redress:take:";

function forget() {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
}

for (const form of document.querySelectorAll('form[action$="/session/end"]')) form.addEventListener("submit", forget);

const print = document.getElementById("print");
if (print) {
  forget();
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}

const form = document.getElementById("take");
if (form) {
  const { owner, channel } = form.dataset;
  const key = `${PREFIX}${owner}`;
  // a draft of whoever sat here before is not for the next one's eyes
  for (const other of Object.keys(sessionStorage)) if (other.startsWith(PREFIX) && other !== key) sessionStorage.removeItem(other);
  const fields = [...form.elements].filter((one) => one.name && one.type !== "hidden");
  const first = new Map(fields.map((one) => [one.name, read(one)]));

  // the form as the server has answered it holds what was sent
  const kept = JSON.parse(sessionStorage.getItem(key) || "{}");
  let shown = false;
  if (!("answered" in form.dataset)) {
    for (const one of fields) {
      if (!(one.name in kept) || kept[one.name] === first.get(one.name)) continue;
      if (one.type === "checkbox") one.checked = kept[one.name] === "yes";
      else one.value = kept[one.name];
      shown = true;
    }
    // sent before, and its answer lost on the way: under its own key it is still one complaint
    if (shown && kept.key) form.elements.key.value = kept.key;
  }
  const told = document.getElementById("draft");
  told.hidden = !shown;
  document.getElementById("drop").addEventListener("click", () => {
    forget();
    location.assign(`?channel=${channel}`);
  });

  form.addEventListener("input", () => {
    const draft = { ...JSON.parse(sessionStorage.getItem(key) || "{}"), key: form.elements.key.value };
    for (const one of fields) {
      if (read(one) !== first.get(one.name)) draft[one.name] = read(one);
      else delete draft[one.name];
    }
    sessionStorage.setItem(key, JSON.stringify(draft));
  });

  // sent twice by a double click it would be one complaint all the same; this spares the wait
  form.addEventListener("submit", (event) => {
    if (form.dataset.sending) event.preventDefault();
    form.dataset.sending = "yes";
  });
  addEventListener("pageshow", () => delete form.dataset.sending);
}

function read(field) {
  return field.type === "checkbox" ? (field.checked ? "yes" : "") : field.value;
}
