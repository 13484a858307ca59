// Keeps supervision current: at most every other second however much happens, and not under a hand that is choosing.
(() => {
  const PAUSE = 2000;
  let timer = null, last = 0;
  const busy = () => document.activeElement?.matches("#supervision select");
  function refresh() {
    timer = null;
    if (busy()) { timer = setTimeout(refresh, PAUSE); return; }
    last = Date.now();
    htmx.trigger(document.body, "atende:supervision");
  }
  document.body.addEventListener("atende:list", () => { timer ??= setTimeout(refresh, Math.max(0, last + PAUSE - Date.now())); });
})();
