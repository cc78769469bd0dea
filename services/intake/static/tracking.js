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

  // how far files have come; the page that follows says how they fared
  const adding = document.getElementById("add-files");
  if (adding)
    adding.addEventListener("submit", (event) => {
      event.preventDefault();
      const bar = document.getElementById("uploading");
      const button = adding.querySelector("button");
      const request = new XMLHttpRequest();
      request.open("POST", adding.action);
      request.upload.onprogress = (sent) => { bar.value = sent.loaded / sent.total; };
      request.onload = () => {
        if (request.status < 300) location.assign(request.responseURL);
        else { document.open(); document.write(request.responseText); document.close(); }
      };
      request.onerror = () => { bar.hidden = true; button.disabled = false; adding.submit(); };
      bar.hidden = false;
      button.disabled = true;
      request.send(new FormData(adding));
    });

  const summary = document.getElementById("summary");
  if (summary) summary.focus();
  // a notice is told once: looking again later should not repeat it
  if (summary && location.search.includes("done=")) {
    const address = new URL(location.href);
    address.searchParams.delete("done");
    history.replaceState(history.state, "", address);
  }
})();
