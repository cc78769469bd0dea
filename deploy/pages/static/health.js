// Keeps the table of health fresh without moving the reader: the page is fetched again and its part put in place.
"use strict";
async function refresh() {
  if (document.hidden || document.getElementById("health").contains(document.activeElement)) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("health");
    const here = document.getElementById("health");
    if (fresh && fresh.innerHTML !== here.innerHTML) here.replaceWith(document.adoptNode(fresh));
  } catch { /* the desk may be restarting: try again at the next turn */ }
}
setInterval(refresh, 3000);
