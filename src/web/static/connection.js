// The page and its server: live events, and what the page does while the server, the network or the sign-in is away.
// Other scripts find it as `atende`.
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const workspace = one("[data-live]");
  const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`atende:${name}`, { detail }));

  // htmx writes every interrupted request to the console as an error: one that a newer one replaced, one that a page
  // left behind, one without a network. The first two are none, and the banner tells the third.
  htmx.logger = (_, name, detail) => {
    if (detail.error === name && (!detail.xhr || detail.xhr.status === 0)) delete detail.error;
  };

  // --- At most so many times: the first ones at once, then twice a second, and the last one always --------------------
  function paced(work, { burst = 2, perSecond = 2, gather = 15 } = {}) {
    let tokens = burst, filled = performance.now(), timer = null, running = false, again = false;
    const run = async () => {
      timer = null;
      if (running) { again = true; return; }
      running = true;
      tokens -= 1;
      try { await work(); } finally { running = false; }
      if (again) { again = false; start(); }
    };
    const start = () => {
      if (timer !== null) return;
      const now = performance.now();
      tokens = Math.min(burst, tokens + ((now - filled) / 1000) * perSecond);
      filled = now;
      timer = setTimeout(run, tokens >= 1 ? gather : Math.max(gather, ((1 - tokens) / perSecond) * 1000));
    };
    return start;
  }

  // --- The banner ----------------------------------------------------------------------------------------------------
  const banner = one("#connection");
  let backTimer = null;
  function away() {
    clearTimeout(backTimer);
    if (!banner) return;
    banner.hidden = false;
    banner.dataset.state = "away";
    delete document.body.dataset.connected;
  }
  function back() {
    document.body.dataset.connected = "";
    if (!banner || banner.hidden || banner.dataset.state === "back") return;
    banner.dataset.state = "back";
    backTimer = setTimeout(() => { banner.hidden = true; delete banner.dataset.state; }, 2500);
  }

  // --- The sign-in: when it ends, the page stays, and goes on once somebody has signed in again -----------------------
  const door = one("#signed-out");
  let asking = null;
  function signedOut() {
    if (!door) { location.reload(); return; }
    if (!door.open) { door.showModal(); tell("signed-out"); }
    asking ??= setInterval(askWhoIsHere, 2500);
  }
  async function askWhoIsHere() {
    const answer = await fetch("/session", { headers: { Accept: "application/json" }, redirect: "manual" }).catch(() => null);
    if (!answer || answer.status !== 200) return;
    const who = await answer.json();
    if (door && (who.user_id !== door.dataset.user || who.tenant_id !== door.dataset.tenant)) { location.reload(); return; }
    clearInterval(asking);
    asking = null;
    document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRF-Token": who.csrf_token }));
    for (const field of all("input[name=csrf_token]")) field.value = who.csrf_token;
    if (door?.open) door.close();
    reconnect();
    tell("signed-in");
  }
  addEventListener("focus", () => { if (asking) askWhoIsHere(); });
  addEventListener("storage", ({ key }) => { if (key === "atende signed in" && asking) askWhoIsHere(); });
  door?.addEventListener("cancel", (event) => event.preventDefault());
  const token = () => JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRF-Token"] ?? "";
  document.body.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401) return;
    event.preventDefault();
    signedOut();
  });
  // A page whose token is an older sign-in's learns the new one and tries once more where that is safe.
  document.body.addEventListener("htmx:beforeOnLoad", ({ detail }) => { if (detail.xhr.status === 403) askWhoIsHere(); });

  // --- Live events -----------------------------------------------------------------------------------------------------
  let lastEvent = Number(workspace?.dataset.lastEvent ?? 0);
  let failures = 0, leaving = false, socket = null, retry = null;
  addEventListener("pagehide", () => { leaving = true; });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  function connect() {
    retry = null;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const mine = new WebSocket(`${scheme}//${location.host}${workspace.dataset.live}`);
    socket = mine;
    mine.addEventListener("open", () => say({ type: "subscribe", subscription: "page", after: lastEvent, content: "none" }));
    mine.addEventListener("message", ({ data }) => {
      heardAt = Date.now();
      const message = JSON.parse(data);
      for (const event of message.events ?? [message]) heard(event);
    });
    mine.addEventListener("close", ({ code }) => {
      if (socket !== mine) return;
      delete document.body.dataset.connected;
      if (leaving) return;
      failures += 1;
      if (code === 4401) { signedOut(); return; }
      if (failures > 1 || !navigator.onLine) away();
      const wait = Math.min(8000, 250 * 2 ** Math.min(failures, 5));
      retry = setTimeout(connect, wait * (0.5 + Math.random() / 2));
    });
  }
  function heard(event) {
    const kind = event.type ?? event.kind;
    lastEvent = Math.max(lastEvent, event.id ?? 0);
    if (kind === "subscribed") answers = true;
    else if (kind === "ready") {
      if (failures) tell("refresh");
      failures = 0;
      back();
      tell("connected");
    } else if (kind === "reset") tell("refresh");
    else if (kind.includes(".")) tell("event", { ...event, kind });
    else tell(kind, event); // presence, error …
  }
  function say(message) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }
  document.addEventListener("atende:say", ({ detail }) => say(detail));
  // A dead network closes nothing: whoever does not answer for half a minute is gone.
  let heardAt = Date.now(), answers = false;
  setInterval(() => {
    if (socket?.readyState !== WebSocket.OPEN || !answers) return;
    if (Date.now() - heardAt > 25000) { away(); reconnect(); } else if (Date.now() - heardAt > 14000) say({ type: "ping" });
  }, 5000);
  /** Drop the connection, which may be dead without knowing, and begin anew from the last event that was told. */
  function reconnect() {
    if (!workspace) return;
    clearTimeout(retry);
    const former = socket;
    socket = null;
    former?.close();
    failures = Math.max(failures, 1);
    connect();
  }
  if (workspace) connect();
  addEventListener("offline", away);
  addEventListener("online", reconnect);
  const lost = () => { if (leaving) return; away(); if (socket?.readyState === WebSocket.OPEN) reconnect(); };
  document.body.addEventListener("htmx:sendError", lost);

  // --- A request is the same one when it is made again because its answer never came ----------------------------------------
  function newKey() {
    // randomUUID is for HTTPS and this machine only.
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  const unanswered = new Map(); // what was asked → the key it was asked under
  document.body.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.verb === "get") return;
    const asked = `${detail.verb} ${detail.path} ${JSON.stringify([...detail.formData.entries()].map(([name, value]) => [name, value instanceof File ? value.name : value]))}`;
    if (!unanswered.has(asked)) unanswered.set(asked, newKey());
    detail.headers["Idempotency-Key"] = unanswered.get(asked);
    if (unanswered.size > 50) unanswered.delete(unanswered.keys().next().value);
  });
  document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
    const key = detail.requestConfig?.headers["Idempotency-Key"];
    if (!key || !detail.xhr.status || detail.xhr.status >= 500) return;
    for (const [asked, its] of unanswered) if (its === key) unanswered.delete(asked);
  });

  Object.assign(window.atende ??= {}, {
    one, all, tell, newKey, paced, token, away, lost, signedOut, askWhoIsHere, workspace,
    openConversation: () => one("[data-conversation]")?.dataset.conversation,
    say,
    lastEvent: () => lastEvent,
  });
})();
