// The inbox in the browser: keeps fragments current over a websocket, and the small manners that HTML lacks.
(() => {
  const { one, all, workspace, openConversation, paced } = atende;

  // --- Refreshing: a flood of events makes two requests a second at most, and none that a later one would repeat -------
  // After an event, only what it changed is asked for: `told` is the last event whose effect the thread shows. Without
  // one (null), everything on screen is.
  let told = atende.lastEvent();
  const refreshConversation = paced(async () => {
    const id = openConversation();
    if (!id) return;
    const headers = { "X-Asked-At": String(atende.lastEvent()), ...(told === null ? {} : { "X-Told": String(told) }) };
    told = null;
    await htmx.ajax("GET", `/inbox/${id}/live`, { source: "#thread", target: "#thread", swap: "none", headers }).catch(() => {});
  });
  const refreshWhole = () => { told = null; refreshConversation(); };
  document.body.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.target?.id === "pane") detail.headers["X-Asked-At"] = String(atende.lastEvent());
  });
  document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
    const { path, headers } = detail.requestConfig ?? {};
    const isShown = detail.target?.id === "pane" || path?.endsWith(`${openConversation()}/live`);
    if (headers?.["X-Asked-At"] && detail.successful && isShown) told = Number(headers["X-Asked-At"]);
  });
  document.addEventListener("atende:torn", refreshWhole);
  // An answer about a conversation that somebody has left meanwhile is not for the one they opened instead.
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const id = /\/inbox\/([0-9a-f-]{36})\//.exec(detail.requestConfig?.path ?? "")?.[1];
    if (id && detail.target?.id === "thread" && id !== openConversation()) detail.shouldSwap = false;
  });
  const refreshNumbers = paced(() => { htmx.trigger(document.body, "atende:numbers"); });
  const refreshPolicy = paced(() => { htmx.trigger(document.body, "atende:policy"); });
  const refreshCases = paced(() => { htmx.trigger(document.body, "atende:cases"); });
  const refreshPhone = paced(() => { document.dispatchEvent(new CustomEvent("atende:phone")); });
  const refreshAll = () => { atende.list?.reload(); refreshNumbers(); refreshPolicy(); refreshCases(); refreshWhole(); refreshPhone(); };
  document.addEventListener("atende:refresh", refreshAll);
  const FAMILIES = new Set(["lead", "person", "settings", "task", "team"]);
  document.addEventListener("atende:event", ({ detail: event }) => {
    if (!event.kind || event.kind.startsWith("presence")) return;
    if (event.kind.startsWith("message.")) refreshPhone();
    const [family] = event.kind.split(".");
    if (family === "notification" || family === "lead") htmx.trigger(document.body, "atende:bell");
    if (FAMILIES.has(family) && !document.activeElement?.matches("input, textarea, select")) htmx.trigger(document.body, `atende:${family}`);
    if (event.kind.startsWith("session.") || event.kind === "message.lost") refreshNumbers();
    if (/^(policy|autonomy)\./.test(event.kind)) refreshPolicy();
    // Not under the hands of somebody who is filling in a form of the page.
    if (event.kind === "eval_case.played" && !document.activeElement?.matches("input, textarea, select")) refreshCases();
    atende.list?.changed(event.conversation_id);
    atende.call?.(event);
    if (event.conversation_id === openConversation()) refreshConversation();
  });

  // --- Every request tells which messages are on screen, so that a refresh shows at least those -------------------
  document.body.addEventListener("htmx:configRequest", (event) => {
    const { detail } = event;
    const first = one("#timeline .bubble-row");
    if (first) detail.headers["X-First-Message"] = first.id.replace("message-", "");
    const shown = one("[data-suggestion]");
    if (shown) detail.headers["X-Suggestion"] = shown.dataset.suggestion;
  });

  // --- After a conversation opened or changed ---------------------------------------------------------------------
  function opened() {
    const id = openConversation();
    for (const row of all("[data-row]")) {
      if (row.dataset.row === id) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    }
    document.dispatchEvent(new CustomEvent("atende:opened"));
    seen();
  }
  function seen() {
    const unread = Number(one("#head [data-unread]")?.dataset.unread ?? 0);
    const id = openConversation();
    if (unread && id && document.visibilityState === "visible") {
      one("#head [data-unread]").dataset.unread = "0";
      htmx.ajax("POST", `/inbox/${id}/read`, { source: "#thread", swap: "none" }).then(() => atende.list?.changed(id)).catch(() => {});
    }
  }
  document.addEventListener("visibilitychange", seen);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    opened();
  });
  document.addEventListener("atende:patched", seen);
  document.body.addEventListener("atende:list", () => atende.list?.changed(openConversation()));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of all("[data-menu][open]")) menu.open = false;
      one(".workspace")?.classList.remove("shows-details");
    }
  });

  // --- Clicks ---------------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const { target } = event;
    for (const menu of all("[data-menu][open]")) if (!menu.contains(target)) menu.open = false;
    if (target.closest("[data-dismiss]")) target.closest("[data-notice]").remove();
    if (target.closest("[data-details-toggle]")) workspace.classList.toggle("shows-details");
    if (target.closest("[data-show-details]")) workspace.classList.add("shows-details");
    if (target.closest("[data-back]")) {
      event.preventDefault();
      location.assign(`${workspace.dataset.base}${location.search}`);
    }
    const why = target.closest("[data-why]");
    if (why) htmx.ajax("GET", why.dataset.why, { source: "#why-content", target: "#why-content", swap: "innerHTML" }).catch(() => {});
  });
  // The explanation of a reply opens once it is there; a click beside it or Escape closes it. Its own box asks for it:
  // a refresh may take the button away meanwhile.
  document.body.addEventListener("htmx:afterSwap", ({ target }) => {
    if (target.id === "why-content" && !one("#why").open) one("#why").showModal();
  });
  document.addEventListener("click", ({ target }) => { if (target.id === "why") target.close(); });

  // --- Notices leave by themselves ------------------------------------------------------------------------------------
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) {
      if (node.nodeType === Node.ELEMENT_NODE) setTimeout(() => node.remove(), 9000);
    }
  }).observe(one("#notices"), { childList: true });

  document.body.addEventListener("atende:refresh-conversation", refreshWhole);
  opened();
})();
