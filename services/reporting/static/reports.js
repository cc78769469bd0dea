// While a report is being made, its progress bar moves; when it is done, its links take the bar's place.
"use strict";
(() => {
  const every = 1500;
  const look = async () => {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Redress-Background": "1" } });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("reports");
        document.getElementById("reports").replaceWith(document.adoptNode(fresh));
      }
    } catch {} // no connection: tried again
    next();
  };
  const next = () => {
    if ("making" in document.getElementById("reports").dataset) setTimeout(look, every);
  };
  next();
})();
