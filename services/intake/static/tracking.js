// Opens a complaint from the link that was sent to its complainant: the access code stands behind #t=, where no server
// sees it. Everything else on these pages works without script.
"use strict";
(() => {
  const code = new URLSearchParams(location.hash.slice(1)).get("t");
  if (code) history.replaceState(history.state, "", location.pathname + location.search);

  const form = document.getElementById("open");
  if (form && code && !document.getElementById("failed")) {
    form.elements.token.value = code;
    if (form.elements.reference.value) form.submit();
    else form.elements.reference.focus();
  }

  const summary = document.getElementById("summary");
  if (summary) summary.focus();
  // a notice is told once: looking again later should not repeat it
  if (summary && location.search.includes("done=")) {
    const address = new URL(location.href);
    address.searchParams.delete("done");
    history.replaceState(history.state, "", address);
  }
})();
