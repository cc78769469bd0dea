// Puts what another service draws into its place on this page:
//   <section data-part="/sla/parts/clocks/ID" aria-busy="true"><a href="/sla/clocks/ID">...</a> <p data-failed hidden>...</p></section>
// Without script, and when the other service cannot answer, the link stays and leads to the same on a page of its own.
for (const place of document.querySelectorAll("[data-part]")) load(place);

async function load(place) {
  try {
    const answer = await fetch(place.dataset.part, { headers: { Accept: "text/html", "X-Redress-Background": "1" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(answer.status);
    place.innerHTML = await answer.text();
    place.dispatchEvent(new CustomEvent("part", { bubbles: true }));
  } catch {
    for (const words of place.querySelectorAll("[data-failed]")) words.hidden = false;
  } finally {
    place.removeAttribute("aria-busy");
  }
}
