// The live part of a page refreshes every five seconds while somebody can see it, and its summary is read out when it
// changes. Without this script (or with "live" switched off) every page works the same, only it stands still.
(() => {
  "use strict";
  const EVERY_MS = 5000;
  const summary = () => document.getElementById("vg-summary")?.textContent.trim() ?? "";
  const refresh = () => {
    if (!document.hidden) document.body.dispatchEvent(new CustomEvent("vg:refresh"));
  };
  let known = summary();

  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
  document.addEventListener("htmx:after:swap", () => {
    const now = summary();
    if (now !== known) document.getElementById("vg-announcement").textContent = now;
    known = now;
  });
})();
