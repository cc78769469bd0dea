// Keeps the open queue up to date: told by the server that something has changed, fetches the list and puts it in place;
// ticks, focus and what is in sight stay where they are.
const list = document.getElementById("list");
const news = document.getElementById("news");
const lost = document.getElementById("lost");
const ticks = document.getElementById("ticks");
const fewest = 1000; // ms between two fetches
let last = performance.now(), waiting = 0;

function rows() { return [...list.querySelectorAll("[data-case]")]; }
function row(id) { return rows().find((one) => one.dataset.case === id); }
function boxes() { return [...list.querySelectorAll("input[name=case]")]; }

function counted() {
  const n = boxes().filter((box) => box.checked).length;
  if (ticks) ticks.textContent = n ? `(${ticks.dataset.ticked.replace("{n}", n)})` : "";
}

async function refresh() {
  waiting = 0;
  last = performance.now();
  let html;
  try {
    const answer = await fetch(list.dataset.list, { headers: { Accept: "text/html", "X-Redress-Background": "1" }, credentials: "same-origin" });
    if (!answer.ok) return;
    html = await answer.text();
  } catch { return; } // the stream says when the connection is back
  if (html.trim() === list.dataset.shown) return;
  list.dataset.shown = html.trim();
  const before = new Set(rows().map((one) => one.dataset.case));
  const ticked = new Set(boxes().filter((box) => box.checked).map((box) => box.closest("[data-case]").dataset.case));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const place = focused?.closest("[data-case]")?.dataset.case;
  const selector = focused?.matches("input") ? "input" : "a";
  // what is looked at stays in sight: the row in focus, else the first one on the screen
  const anchor = (place && row(place)) || rows().find((one) => one.getBoundingClientRect().bottom > 0);
  const anchored = anchor && { id: anchor.dataset.case, top: anchor.getBoundingClientRect().top };
  list.innerHTML = html;
  for (const box of boxes()) if (ticked.has(box.closest("[data-case]").dataset.case)) box.checked = true;
  if (place) (row(place) ?? rows()[0])?.querySelector(selector)?.focus({ preventScroll: true });
  const now = anchored && row(anchored.id);
  if (now && window.scrollY > 0) window.scrollBy(0, now.getBoundingClientRect().top - anchored.top);
  const fresh = rows().filter((one) => !before.has(one.dataset.case));
  for (const one of fresh) one.classList.add("fresh");
  news.textContent = fresh.length ? news.dataset.new.replace("{n}", fresh.length) : "";
  counted();
}

function soon() {
  if (waiting) return;
  waiting = setTimeout(refresh, Math.max(150, fewest - (performance.now() - last)));
}

if (list?.dataset.live && "EventSource" in window) {
  let stream, again = 1000;
  const connect = () => {
    stream = new EventSource(list.dataset.live);
    stream.addEventListener("open", () => { lost.hidden = true; again = 1000; soon(); });
    stream.addEventListener("change", soon);
    stream.addEventListener("error", () => {
      lost.hidden = false;
      if (stream.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      setTimeout(() => { if (!document.hidden && stream.readyState === EventSource.CLOSED) connect(); }, again);
      again = Math.min(again * 2, 30000);
    });
  };
  connect();
  // browsers open few connections to one place: a tab that nobody looks at gives its own back
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stream.close();
    else if (stream.readyState === EventSource.CLOSED) connect();
  });
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  setInterval(soon, 60000); // the time left goes on by itself
}
list?.addEventListener("change", counted);
counted();
