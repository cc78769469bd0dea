// Buttons that copy a link. Without this script the link stands in its field, to be copied by hand.
"use strict";
(() => {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(field.value);
        document.getElementById("copied").textContent = button.dataset.copied;
      } catch {
        field.select();
      }
    });
  }
})();
