// Parts of a page that refresh themselves: data-live is their address, data-every the pause in milliseconds.
"use strict";
for (const part of document.querySelectorAll("[data-live]")) {
  const pause = Number(part.dataset.every);
  const isDone = () => "untilDone" in part.dataset && part.querySelector("[data-done]") !== null;
  const refresh = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(part.dataset.live, { headers: { "X-Requested-With": "fetch" } });
        if (answer.redirected) { location.reload(); return; }
        if (answer.ok && !part.contains(document.activeElement)) { part.innerHTML = await answer.text(); }
      } catch { /* the portal is away for a moment; the next round asks again */ }
    }
    if (!isDone()) { setTimeout(refresh, pause); }
  };
  if (!isDone()) { setTimeout(refresh, pause); }
}
