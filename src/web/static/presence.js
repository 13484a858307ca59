// Tells colleagues which conversation is open here and whether somebody types in it, over app.js's websocket. What it
// hears of them comes as "atende:presence" on the document: { conversation_id, people: [{ user_id, name, typing }] }.
(() => {
  const STILL_TYPING = 3000, REPEAT = 2500;
  let here = null, typing = false, saidAt = 0, timer = null;
  const say = (message) => document.dispatchEvent(new CustomEvent("atende:say", { detail: message }));
  const opened = () => document.querySelector("[data-conversation]")?.dataset.conversation ?? null;

  function tell(now) {
    if (!here && !opened()) return;
    here = opened();
    typing = now && Boolean(here);
    saidAt = Date.now();
    say({ type: "presence", conversation_id: here, typing });
  }
  function look() {
    if (opened() !== here) tell(false);
  }
  function wrote(event) {
    if (!event.target.closest?.("[data-draft], [data-draft-edited]")) return;
    clearTimeout(timer);
    if (!event.target.value) { if (typing) tell(false); return; }
    timer = setTimeout(() => tell(false), STILL_TYPING);
    if (!typing || Date.now() - saidAt > REPEAT) tell(true);
  }
  document.addEventListener("input", wrote);
  document.addEventListener("atende:connected", () => { here = null; look(); });
  document.addEventListener("htmx:afterSettle", look);
  document.addEventListener("atende:sent", () => { clearTimeout(timer); if (typing) tell(false); });
})();
