// Puts the complaint form where this script stands, or into the element that data-target names:
// <script src=".../embed.js" data-key="pk_..." data-lang="zh-Hant" data-identity="eyJ..." async></script>
// Tells the page by events on the frame: redress:ready, redress:submitted (detail.reference), redress:identity-refused.
"use strict";
(() => {
  const tag = document.currentScript;
  const base = new URL(".", tag.src);
  const address = new URL("form", base);
  const { key, lang, target, identity } = tag.dataset;
  address.searchParams.set("key", key || "");
  address.searchParams.set("origin", location.origin);
  if (lang || document.documentElement.lang) address.searchParams.set("lang", lang || document.documentElement.lang);

  const frame = document.createElement("iframe");
  frame.src = address.href;
  frame.referrerPolicy = "origin"; // the server refuses a page that hides where it is
  frame.setAttribute("sandbox", "allow-scripts allow-forms allow-same-origin allow-popups allow-popups-to-escape-sandbox");
  frame.style.cssText = "display:block;width:100%;border:0;min-height:30rem;color-scheme:light";
  frame.title = "Redress";

  let known = identity;
  const tell = () => known && frame.contentWindow.postMessage({ type: "redress:identity", token: known }, base.origin);
  addEventListener("message", (event) => {
    if (event.origin !== base.origin || event.source !== frame.contentWindow || !event.data) return;
    const { type } = event.data;
    if (type === "redress:height") {
      frame.style.height = `${Math.ceil(event.data.height)}px`;
      return;
    }
    if (type === "redress:ready") {
      frame.title = event.data.title;
      tell();
    }
    if (/^redress:(ready|submitted|identity-refused)$/.test(type))
      frame.dispatchEvent(new CustomEvent(type, { detail: event.data, bubbles: true }));
  });
  // for a page that signs somebody in after it was loaded
  window.Redress = { identify: (token) => { known = token; tell(); } };

  const place = () => {
    const named = target && document.querySelector(target);
    if (named) named.append(frame);
    else if (tag.isConnected && document.body.contains(tag)) tag.after(frame);
    else document.body.append(frame);
  };
  if (document.readyState === "loading" && (target || !document.body)) addEventListener("DOMContentLoaded", place);
  else place();
})();
