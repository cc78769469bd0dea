// Keeps the dashboard up to date: the totals every two seconds, the charts when they have changed, at most every five.
"use strict";
(() => {
  const every = 2000;
  const chartsEvery = 5000;
  const numbers = new Intl.NumberFormat(document.documentElement.lang);
  const stale = document.getElementById("stale");
  let shown = null;
  let drawn = Date.now();

  const figures = () => document.getElementById("figures");

  const say = (failed) => {
    const text = failed ? stale.dataset.text : "";
    if (stale.textContent !== text) stale.textContent = text;
    stale.classList.toggle("hidden", !failed);
  };

  const fill = (totals) => {
    for (const place of figures().querySelectorAll("[data-figure]")) {
      const text = numbers.format(totals[place.dataset.figure]);
      if (place.textContent !== text) place.textContent = text;
    }
  };

  // What a reader has opened stays open, and the focus stays where it was.
  const redraw = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Redress-Background": "1" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("figures");
    const focused = document.activeElement && document.activeElement.id;
    for (const open of figures().querySelectorAll("details[open] > summary")) {
      const same = fresh.querySelector("#" + CSS.escape(open.id));
      if (same) same.parentElement.open = true;
    }
    figures().replaceWith(document.adoptNode(fresh));
    const again = focused && document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
  };

  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(figures().dataset.totals + location.search, { headers: { Accept: "application/json", "X-Redress-Background": "1" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const totals = await answer.json();
      const now = JSON.stringify([totals.total, totals.today, totals.open, totals.missed]);
      fill(totals);
      say(false);
      if (shown === null) shown = now;
      const first = totals.total > 0 && !figures().querySelector(".charts");
      if (first || (now !== shown && Date.now() - drawn >= chartsEvery)) {
        await redraw();
        shown = now;
        drawn = Date.now();
      }
    } catch {
      say(true);
    }
  };

  const loop = async () => {
    await look();
    setTimeout(loop, every);
  };
  setTimeout(loop, every);
})();
