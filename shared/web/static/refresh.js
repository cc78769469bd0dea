// Fetches this page again while something on it goes on, and puts the new state of that part into its place:
//   <section id="verdict" data-refresh="1500">...</section>
// The part ends it by coming back without `data-refresh`. Without script people reload the page.
const part = document.querySelector("[data-refresh]");
if (part) again(part);

function again(part) {
  setTimeout(() => renew(part), Number(part.dataset.refresh));
}

async function renew(part) {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Redress-Background": "1" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.getElementById(part.id);
    if (!now) return;
    part.innerHTML = now.innerHTML;
    if (!now.dataset.refresh) return part.removeAttribute("data-refresh");
  } catch {
    // the next time may do better
  }
  again(part);
}
