// The thread keeps its place: at the end if it was there, else where the reader is; older messages come in without a jump.
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const openConversation = () => one("[data-conversation]")?.dataset.conversation;
  let place = null;
  const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 60;

  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const box = one("#thread");
    if (!box) { place = null; return; }
    const older = event.detail.elt?.matches?.("[data-older]");
    place = { id: openConversation(), end: atEnd(box) && !older, ...anchor(box) };
  });
  /** What the reader looks at: an entry that stays, and how far below the edge it is. */
  function anchor(box) {
    const edge = box.getBoundingClientRect().top;
    for (const entry of box.querySelectorAll("#timeline [id], #older [id]")) {
      const { top, bottom } = entry.getBoundingClientRect();
      if (bottom > edge) return { entry: entry.id, offset: top - edge };
    }
    return { entry: null, offset: 0 };
  }
  function settle() {
    const box = one("#thread");
    if (!box) return;
    const stays = place && place.id === openConversation() && !place.end && place.entry && document.getElementById(place.entry);
    if (stays) box.scrollTop += stays.getBoundingClientRect().top - box.getBoundingClientRect().top - place.offset;
    else box.scrollTop = box.scrollHeight;
  }
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target?.id === "pane") place = null;
    showDays();
    settle();
    watchTop();
  });
  document.addEventListener("atende:before-patch", ({ detail }) => {
    const box = one("#thread");
    if (detail.target.id === "timeline" && box) place = { id: openConversation(), end: atEnd(box), ...anchor(box) };
  });
  document.addEventListener("atende:patched", ({ detail }) => {
    if (detail.target.id !== "timeline") return;
    shelve();
    settle();
  });

  // --- A thread that grows all day: what is refreshed, and what is on the page, stays bounded ---------------------------
  const MOST_FRESH = 90, FRESH = 60, MOST_OLDER = 300, OLDER = 100;
  const bubbles = (box) => [...box.children].filter((node) => node.matches(".bubble-row"));
  /** Put all of a box before one of its children elsewhere, or away. */
  function before(box, last, into = null) {
    while (box.firstChild && box.firstChild !== last) { if (into) into.append(box.firstChild); else box.firstChild.remove(); }
  }
  /** The oldest that are refreshed become earlier messages; of these, the oldest go while the reader is at the end. */
  function shelve() {
    const timeline = one("#timeline"), older = one("#older");
    const fresh = bubbles(timeline);
    if (fresh.length > MOST_FRESH) before(timeline, fresh.at(-FRESH), older);
    const shelf = bubbles(older);
    if (shelf.length > MOST_OLDER && place?.end !== false) {
      const first = shelf.at(-OLDER), more = one("#load-earlier").content.firstElementChild.cloneNode(true);
      const day = [...older.querySelectorAll(".day")].findLast((one_) => one_.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING);
      before(older, first);
      if (day) older.prepend(day);
      more.setAttribute("hx-get", `${more.getAttribute("hx-get")}${first.id.replace("message-", "")}`);
      older.prepend(more);
      htmx.process(more);
      watchTop();
    }
    showDays();
  }
  /** Each piece of a thread begins with its day: one that was told just before is not told again. */
  function showDays() {
    let said = "";
    for (const day of document.querySelectorAll("#older .day, #timeline .day")) {
      day.hidden = day.textContent === said;
      said = day.textContent;
    }
  }
  document.addEventListener("atende:sent", () => { place = null; settle(); });
  // A picture that comes late must not push the end out of sight.
  document.addEventListener("load", (event) => { if (event.target.matches?.("#thread img") && place?.end !== false) settle(); }, { capture: true });
  new ResizeObserver(() => { if (place?.end !== false) settle(); }).observe(document.body);

  // --- Older messages are fetched before the reader gets there ---------------------------------------------------------
  const seen = new IntersectionObserver((found) => {
    for (const { isIntersecting, target } of found) {
      if (!isIntersecting || target.dataset.asked) continue;
      target.dataset.asked = "true";
      target.click();
    }
  }, { rootMargin: "400px 0px 0px 0px" });
  function watchTop() {
    seen.disconnect();
    const more = one("#thread [data-older]");
    const box = one("#thread");
    if (more && box && box.scrollHeight > box.clientHeight) requestAnimationFrame(() => { seen.observe(more); });
  }

  // --- Pictures open in the page --------------------------------------------------------------------------------------
  const viewer = one("#viewer");
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-view]:not([data-view=''])");
    if (link && link.closest("#thread") && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      one("[data-viewed]", viewer).src = link.href;
      one("[data-viewed]", viewer).alt = link.dataset.view;
      viewer.showModal();
    } else if (event.target === viewer || event.target.closest("[data-viewed]")) viewer.close();
  });
  viewer?.addEventListener("close", () => { one("[data-viewed]", viewer).removeAttribute("src"); });

  settle();
  watchTop();
})();
