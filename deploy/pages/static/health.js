// Keeps what is said of the services' health fresh without moving the reader: it is fetched again and put in place. What
// was unfolded stays so, and a change of the first line, how all is, is said to those who listen to the page.
"use strict";
async function refresh() {
  const here = document.getElementById("health");
  if (document.hidden || here.contains(document.activeElement)) return;
  try {
    const from = here.dataset.from;
    const answer = await fetch(from ? from + location.search : location.href, { headers: { Accept: "text/html", "X-Redress-Background": "1" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = from ? page.body : page.getElementById("health");
    if (!fresh) return;
    for (const open of here.querySelectorAll("details[open][id]")) fresh.querySelector(`#${open.id}`)?.setAttribute("open", "");
    if (fresh.innerHTML.trim() === here.innerHTML.trim()) return;
    const before = here.querySelector(".notice")?.textContent;
    here.replaceChildren(...document.adoptNode(fresh).childNodes);
    const now = here.querySelector(".notice")?.textContent;
    const told = document.getElementById("health-told");
    if (told && now !== before) told.textContent = now;
  } catch { /* the desk may be restarting: try again at the next turn */ }
}
setInterval(refresh, 3000);
