// The inbox in the browser: keeps fragments current over a websocket, and the small manners that HTML lacks.
(() => {
  const workspace = document.querySelector("[data-live]");
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const openConversation = () => one("[data-conversation]")?.dataset.conversation;

  // --- Refreshing: many events in a moment make one request -----------------------------------------------------
  function coalesced(work, pause = 80) {
    let timer = null, running = false, again = false;
    const run = async () => {
      timer = null;
      if (running) { again = true; return; }
      running = true;
      try { await work(); } finally { running = false; }
      if (again) { again = false; start(); }
    };
    const start = () => { timer ??= setTimeout(run, pause); };
    return start;
  }
  const refreshList = coalesced(() => { htmx.trigger(document.body, "atende:list"); });
  const refreshConversation = coalesced(async () => {
    const id = openConversation();
    if (id) await htmx.ajax("GET", `/inbox/${id}/live`, { source: "#thread", target: "#thread", swap: "none" }).catch(() => {});
  });
  const refreshNumbers = coalesced(() => { htmx.trigger(document.body, "atende:numbers"); });
  const refreshPolicy = coalesced(() => { htmx.trigger(document.body, "atende:policy"); });
  const refreshAll = () => { refreshList(); refreshNumbers(); refreshPolicy(); refreshConversation(); document.dispatchEvent(new CustomEvent("atende:phone")); };

  // --- The websocket -------------------------------------------------------------------------------------------
  let lastEvent = Number(workspace?.dataset.lastEvent ?? 0);
  let failures = 0;
  let leaving = false;
  addEventListener("pagehide", () => { leaving = true; });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  function connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${workspace.dataset.live}?after=${lastEvent}`);
    socket.addEventListener("message", ({ data }) => {
      const event = JSON.parse(data);
      if (event.id < lastEvent) return;
      lastEvent = event.id;
      if (event.kind === "ready") {
        if (failures) refreshAll();
        failures = 0;
        one("#connection").hidden = true;
        document.body.dataset.connected = "";
      } else if (event.kind === "reset") {
        refreshAll();
      } else {
        if (event.kind.startsWith("message.")) document.dispatchEvent(new CustomEvent("atende:phone"));
        if (event.kind.startsWith("session.")) refreshNumbers();
        if (/^(policy|autonomy)\./.test(event.kind)) refreshPolicy();
        refreshList();
        if (event.conversation_id === openConversation()) refreshConversation();
      }
    });
    socket.addEventListener("close", ({ code }) => {
      delete document.body.dataset.connected;
      if (leaving) return;
      if (code === 4401) { location.reload(); return; }
      failures += 1;
      if (failures > 1) one("#connection").hidden = false;
      const wait = Math.min(10000, 300 * 2 ** Math.min(failures, 6));
      setTimeout(connect, wait * (0.5 + Math.random() / 2));
    });
  }
  if (workspace) connect();
  document.body.addEventListener("atende:refresh", refreshAll);

  // --- Every request tells which messages are on screen, so that a refresh shows at least those -------------------
  document.body.addEventListener("htmx:configRequest", (event) => {
    const { detail } = event;
    if (detail.elt.id === "list" && openConversation()) detail.parameters.selected = openConversation();
    const first = one("#timeline .bubble-row");
    if (first) detail.headers["X-First-Message"] = first.id.replace("message-", "");
  });
  document.body.addEventListener("htmx:sendError", () => { one("#connection").hidden = false; });

  // --- The thread keeps its place: at the end if it was there, else where the reader is -----------------------------
  let place = null;
  const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const box = one("#thread");
    if (!box) { place = null; return; }
    const older = event.detail.elt?.matches?.("[data-older]");
    place = { id: openConversation(), end: atEnd(box) && !older, top: box.scrollTop, fromEnd: older ? box.scrollHeight - box.scrollTop : null };
  });
  document.body.addEventListener("htmx:afterSettle", settle);
  document.body.addEventListener("htmx:oobAfterSwap", settle);
  function settle() {
    const box = one("#thread");
    if (!box) return;
    if (!place || place.id !== openConversation() || place.end) box.scrollTop = box.scrollHeight;
    else if (place.fromEnd !== null) box.scrollTop = box.scrollHeight - place.fromEnd;
    else box.scrollTop = place.top;
  }
  new ResizeObserver(() => { if (place?.end !== false) settle(); }).observe(document.body);

  // --- After a conversation opened or changed ---------------------------------------------------------------------
  function opened() {
    const id = openConversation();
    for (const row of all("[data-row]")) {
      if (row.dataset.row === id) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    }
    const draft = one("[data-draft]");
    if (draft && !draft.value) draft.value = sessionStorage.getItem(`draft ${draft.dataset.draft}`) ?? "";
    seen();
  }
  function seen() {
    const unread = Number(one("#head [data-unread]")?.dataset.unread ?? 0);
    const id = openConversation();
    if (unread && id && document.visibilityState === "visible") {
      one("#head [data-unread]").dataset.unread = "0";
      htmx.ajax("POST", `/inbox/${id}/read`, { source: "#thread", swap: "none" }).catch(() => {});
    }
  }
  document.addEventListener("visibilitychange", seen);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target?.id === "pane") { place = null; settle(); }
    opened();
  });
  document.body.addEventListener("htmx:oobAfterSwap", seen);

  // --- A file in the composer: it goes with the text, to another address ------------------------------------------
  function attached(form) {
    const input = one("[data-attach]", form);
    const file = input?.files[0];
    one("[data-attached]", form).hidden = !file;
    one("[data-attached-name]", form).textContent = file?.name ?? "";
    one("[data-draft]", form).required = !file;
  }
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-attach]")) attached(event.target.form);
  });
  function detach(form) {
    const input = form && one("[data-attach]", form);
    if (input) { input.value = ""; attached(form); }
  }
  document.body.addEventListener("htmx:configRequest", ({ detail }) => {
    const form = detail.elt;
    if (!form.matches?.("[data-composer]")) return;
    if (one("[data-attach]", form)?.files.length) detail.path = form.dataset.attachTo;
    else detail.formData?.delete("file");
  });

  // --- Writing ------------------------------------------------------------------------------------------------------
  document.addEventListener("input", (event) => {
    const draft = event.target.closest("[data-draft]");
    if (draft) sessionStorage.setItem(`draft ${draft.dataset.draft}`, draft.value);
  });
  document.body.addEventListener("atende:sent", () => {
    const draft = one("[data-draft]");
    if (!draft) return;
    draft.value = "";
    detach(draft.form);
    sessionStorage.removeItem(`draft ${draft.dataset.draft}`);
    const box = one("#thread");
    if (box) box.scrollTop = box.scrollHeight;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const form = event.target.closest("form[hx-post]");
      if (form) { event.preventDefault(); form.requestSubmit(form.querySelector("button[type=submit]")); }
    } else if (event.key === "Escape") {
      for (const menu of all("[data-menu][open]")) menu.open = false;
      one(".workspace")?.classList.remove("shows-details");
    }
  });

  // --- Clicks ---------------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const { target } = event;
    if (target.closest("[data-detach]")) detach(target.closest("form"));
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
    const edit = target.closest("[data-edit-suggestion]");
    if (edit) toggleEditing(edit.closest("[data-suggestion]"));
  });
  // The explanation of a reply opens once it is there; a click beside it or Escape closes it. Its own box asks for it:
  // a refresh may take the button away meanwhile.
  document.body.addEventListener("htmx:afterSwap", ({ target }) => {
    if (target.id === "why-content" && !one("#why").open) one("#why").showModal();
  });
  document.addEventListener("click", ({ target }) => { if (target.id === "why") target.close(); });
  function toggleEditing(card) {
    const editor = one("[data-draft-edited]", card);
    const editing = editor.hidden;
    editor.hidden = editor.disabled = !editing;
    one("[data-draft-shown]", card).hidden = editing;
    for (const part of all("[data-when]", card)) part.hidden = (part.dataset.when === "edited") !== editing;
    if (editing) { editor.focus(); editor.setSelectionRange(editor.value.length, editor.value.length); }
    else editor.value = editor.defaultValue;
  }

  // --- Notices leave by themselves ------------------------------------------------------------------------------------
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) {
      if (node.nodeType === Node.ELEMENT_NODE) setTimeout(() => node.remove(), 9000);
    }
  }).observe(one("#notices"), { childList: true });

  opened();
  settle();
})();
