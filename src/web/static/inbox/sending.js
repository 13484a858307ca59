// What an operator sends stays with the page until the server has it: it is tried again under the same key, which makes
// it the same sending, over a lost network, a restarted server, an ended sign-in and a reloaded page. Drafts likewise.
(() => {
  const { one, all, workspace, openConversation, token, newKey } = atende;
  const user = workspace?.dataset.user;
  if (!user) return;
  const tab = sessionStorage.getItem("atende tab") ?? newKey();
  sessionStorage.setItem("atende tab", tab);
  const UNSENT = `atende unsent ${user}`, DRAFT = `atende draft ${user} `, ATTACHED = `atende attached ${user} `;
  const FRESH_MINUTES = 10, ALONE_SECONDS = 30, DRAFT_DAYS = 7, SERVER_FAULTS = 6;

  const read = (name, otherwise) => { try { return JSON.parse(localStorage.getItem(name)) ?? otherwise; } catch { return otherwise; } };
  const write = (name, value) => { try { localStorage.setItem(name, JSON.stringify(value)); } catch { /* full: this page still holds it */ } };

  // --- Drafts: kept for each conversation, shared by the tabs -----------------------------------------------------------
  const fields = () => all("textarea[data-draft]");
  const draftOf = (conversation) => read(DRAFT + conversation, null)?.text ?? "";
  function keepDraft(conversation, text) {
    if (text) write(DRAFT + conversation, { text, at: Date.now() }); else localStorage.removeItem(DRAFT + conversation);
  }
  document.addEventListener("input", ({ target }) => {
    if (target.matches?.("textarea[data-draft]")) keepDraft(target.dataset.draft, target.value);
  });
  function restoreDrafts() {
    for (const field of fields()) if (!field.value) field.value = draftOf(field.dataset.draft);
  }
  addEventListener("storage", ({ key, oldValue }) => {
    if (key === UNSENT) { show(); return; }
    if (!key?.startsWith(DRAFT)) return;
    const before = oldValue ? JSON.parse(oldValue).text : "";
    for (const field of fields()) {
      // Another tab wrote on; what this one has typed by itself stays.
      if (DRAFT + field.dataset.draft === key && field.value === before) field.value = draftOf(field.dataset.draft);
    }
  });
  for (const name of Object.keys(localStorage)) {
    if (name.startsWith(DRAFT) && Date.now() - (read(name, {}).at ?? 0) > DRAFT_DAYS * 864e5) localStorage.removeItem(name);
  }
  document.addEventListener("submit", ({ target }) => {
    // Whoever signs out leaves nothing on this machine but how the keyboard and the sounds are set.
    if (!target.matches("form[action='/logout']")) return;
    for (const name of Object.keys(localStorage)) if (/^atende (unsent|draft|attached|emoji)\b/.test(name)) localStorage.removeItem(name);
    atende.files.forgetAll();
  }, true);
  /** Put a text into the message field, after what stands there. */
  function intoComposer(text, conversation = openConversation()) {
    const former = draftOf(conversation);
    const field = fields().find((one) => one.dataset.draft === conversation);
    const now = field?.value || former;
    const joined = now.trim() ? `${now.trimEnd()}\n\n${text}` : text;
    keepDraft(conversation, joined);
    if (!field) return;
    field.value = joined;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
    field.setSelectionRange(joined.length, joined.length);
  }

  // --- The file in the message field: its id is kept like the draft, the file itself by files.js ---------------------------
  const attachedTo = (conversation) => read(ATTACHED + conversation, null);
  /** `file` null: there is none any more, or it belongs to a message now. Returns the id of the one that was there. */
  function keepAttached(conversation, file, id = newKey()) {
    const former = attachedTo(conversation)?.id ?? null;
    if (file) { write(ATTACHED + conversation, { id, at: Date.now() }); atende.files.keep(id, file); }
    else localStorage.removeItem(ATTACHED + conversation);
    return former;
  }
  document.addEventListener("atende:attached", ({ detail: { conversation, file } }) => {
    const former = keepAttached(conversation, file);
    if (former) atende.files.drop(former);
  });
  async function restoreAttached() {
    const conversation = openConversation();
    const id = conversation && attachedTo(conversation)?.id;
    if (!id) return;
    const file = await atende.files.get(id);
    if (openConversation() !== conversation || attachedTo(conversation)?.id !== id) return;
    if (file) atende.media.attach(file, { restored: true }); else localStorage.removeItem(ATTACHED + conversation);
  }
  function giveBack(file, conversation) {
    if (!file) return;
    if (conversation === openConversation()) { atende.media.attach(file); return; }
    keepAttached(conversation, file);
  }
  addEventListener("storage", ({ key, newValue }) => {
    // Another tab has taken the file away, or sent it.
    if (key?.startsWith(ATTACHED) && key === ATTACHED + openConversation() && !newValue) atende.media.detach(undefined, { elsewhere: true });
  });

  // --- What is on its way -----------------------------------------------------------------------------------------------
  const STOPPED = ["held", "refused", "lost-file"]; // they wait for a person
  const running = new Set();
  const timers = new Map();
  const unsent = () => read(UNSENT, []);
  const keep = (record) => write(UNSENT, [...unsent().filter((one) => one.key !== record.key), record].sort((a, b) => a.at - b.at));
  const drop = (key) => { const id = unsent().find((one) => one.key === key)?.fileId; if (id) atende.files.drop(id); write(UNSENT, unsent().filter((one) => one.key !== key)); clearTimeout(timers.get(key)); timers.delete(key); };
  const change = (key, what) => { const found = unsent().find((one) => one.key === key); if (found) { Object.assign(found, what); keep(found); } return found; };

  document.body.addEventListener("htmx:confirm", (event) => {
    const form = event.detail.elt;
    if (!form.matches?.("form[data-send]")) return;
    event.preventDefault();
    if (form.dataset.sent) return; // a second press while the first is on its way
    submit(form, event.detail.triggeringEvent?.submitter);
  });
  function submit(form, submitter) {
    const data = new FormData(form, submitter?.form === form ? submitter : undefined);
    const file = data.get("file");
    // A note goes to colleagues only: a file that is attached meanwhile waits for the reply.
    const hasFile = file instanceof File && file.size > 0 && !form.classList.contains("is-note");
    data.delete("file");
    const accepts = form.closest("[data-suggestion]");
    const shown = accepts ? one("[data-draft-shown]", accepts).textContent : "";
    const record = {
      key: newKey(), tab, at: Date.now(), touched: Date.now(), conversation: openConversation(), state: "sending",
      path: hasFile ? form.dataset.attachTo : form.getAttribute("hx-post"),
      fields: [...data.entries()].filter(([, value]) => typeof value === "string"),
      text: String(data.get("text") ?? shown), file: hasFile ? file.name : "", fileId: "",
      suggestion: accepts?.dataset.suggestion ?? "", tries: 0,
    };
    if (!record.text.trim() && !hasFile) { form.reportValidity?.(); return; }
    if (hasFile) {
      record.fileId = keepAttached(record.conversation, null) ?? newKey();
      if (!atende.files.has(record.fileId)) atende.files.keep(record.fileId, file);
    }
    keep(record);
    if (accepts) { form.dataset.sent = record.key; accepts.classList.add("is-sent"); }
    else {
      const field = one("textarea[data-draft]", form);
      field.value = "";
      keepDraft(field.dataset.draft, "");
      field.dispatchEvent(new Event("input", { bubbles: true }));
      if (hasFile) atende.tell("detach", form);
    }
    show();
    next(record.conversation);
  }
  /** Send the first of a conversation's; the others wait for it, so that they arrive in order. */
  function next(conversation) {
    const mine = unsent().filter((one) => one.conversation === conversation && isOurs(one));
    const first = mine.find((one) => !STOPPED.includes(one.state));
    if (first && !running.has(first.key) && !timers.has(first.key)) post(first);
  }
  const isOurs = (record) => record.tab === tab || Date.now() - record.touched > ALONE_SECONDS * 1000;

  async function post(record) {
    running.add(record.key);
    const file = record.fileId ? await atende.files.get(record.fileId) : null;
    if (record.file && !file) {
      running.delete(record.key);
      change(record.key, { state: "lost-file" });
      show();
      next(record.conversation);
      return;
    }
    change(record.key, { tab, touched: Date.now(), tries: record.tries + 1 });
    const body = new FormData();
    for (const [name, value] of record.fields) body.append(name, value);
    body.append("key", record.key);
    if (file) body.append("file", file);
    const headers = { "HX-Request": "true", Accept: "text/html", "X-CSRF-Token": token(), "Idempotency-Key": record.key };
    const first = one("#timeline .bubble-row");
    if (first) headers["X-First-Message"] = first.id.replace("message-", "");
    if (one("[data-suggestion]")) headers["X-Suggestion"] = one("[data-suggestion]").dataset.suggestion;
    const answer = await fetch(record.path, {
      method: "POST", headers, body: file ? body : new URLSearchParams(body), signal: AbortSignal.timeout(file ? 120000 : 30000),
    }).then(async (found) => ({ status: found.status, trigger: found.headers.get("HX-Trigger"), html: await found.text() })).catch(() => null);
    running.delete(record.key);
    settle(record, answer);
  }
  function settle(record, answer) {
    const status = answer?.status ?? 0;
    if (status >= 200 && status < 300) {
      drop(record.key);
      if (record.conversation === openConversation()) htmx.swap("#thread", answer.html, { swapStyle: "none" }, { eventInfo: { target: one("#thread") } });
      announce(answer.trigger);
      if (!record.suggestion) atende.tell("sent");
      show();
      next(record.conversation);
    } else if (status === 401) {
      change(record.key, { state: "signed-out" });
      atende.signedOut();
      show();
    } else if (status === 403 && record.tries < 2) {
      change(record.key, { state: "waiting" });
      atende.askWhoIsHere().finally(() => again(record, 300));
    } else if (!status || [429, 502, 503, 504].includes(status) || (status >= 500 && record.tries < SERVER_FAULTS)) {
      change(record.key, { state: "waiting" });
      if (!status) atende.lost();
      show();
      again(record, Math.min(15000, 500 * 2 ** Math.min(record.tries, 5)));
    } else {
      change(record.key, { state: "refused" });
      refused(record, answer).finally(() => next(record.conversation));
    }
  }
  function again(record, wait) {
    clearTimeout(timers.get(record.key));
    timers.set(record.key, setTimeout(() => { timers.delete(record.key); next(record.conversation); }, wait * (0.75 + Math.random() / 2)));
  }
  /** The server will not take it, now or later: its words go back to where they can be changed. */
  async function refused(record, answer) {
    const file = record.fileId ? await atende.files.get(record.fileId) : null;
    const open = record.conversation === openConversation();
    if (answer) one("#notices").insertAdjacentHTML("beforeend", answer.html);
    const card = record.suggestion && open ? one(`[data-suggestion="${record.suggestion}"]`) : null;
    if (card) { delete one("form[data-send]", card).dataset.sent; card.classList.remove("is-sent"); }
    if (record.suggestion && !record.fields.some(([name]) => name === "text")) drop(record.key); // nothing of one's own
    else if (open && !draftOf(record.conversation)) { drop(record.key); intoComposer(record.text, record.conversation); giveBack(file, record.conversation); }
    announce(answer?.trigger);
    show();
  }
  function announce(trigger) {
    if (!trigger) return;
    const events = trigger.startsWith("{") ? JSON.parse(trigger) : Object.fromEntries(trigger.split(",").map((name) => [name.trim(), {}]));
    for (const [name, detail] of Object.entries(events)) if (name !== "atende:sent") htmx.trigger(document.body, name, detail);
  }
  function goOn() {
    for (const record of unsent()) {
      if (!isOurs(record) || STOPPED.includes(record.state)) continue;
      clearTimeout(timers.get(record.key));
      timers.delete(record.key);
      next(record.conversation);
    }
  }
  document.addEventListener("atende:connected", goOn);
  document.addEventListener("atende:signed-in", goOn);
  addEventListener("online", goOn);
  setInterval(() => {
    for (const record of unsent()) if (record.tab === tab) change(record.key, { touched: Date.now() });
    goOn();
  }, 10000);

  // --- Shown where it will stand once it was sent ------------------------------------------------------------------------
  function show() {
    const box = one("#unsent");
    if (!box) return;
    const mine = unsent().filter((record) => record.conversation === openConversation());
    for (const node of [...box.children]) if (!mine.some((record) => record.key === node.dataset.key)) node.remove();
    for (const record of mine) {
      let node = [...box.children].find((one) => one.dataset.key === record.key);
      if (!node) {
        node = one("#unsent-message").content.firstElementChild.cloneNode(true);
        node.dataset.key = record.key;
        one("[data-unsent-text]", node).textContent = [record.file && `📎 ${record.file}`, record.text].filter(Boolean).join("\n");
        box.append(node);
        const thread = one("#thread");
        thread.scrollTop = thread.scrollHeight;
      }
      // What follows one that cannot leave yet is not being sent, either: it says so in one word.
      const first = mine.find((one) => !STOPPED.includes(one.state));
      const state = record.state === "sending" && first && first !== record && first.state !== "sending" ? "behind" : record.state;
      const isQuiet = state === "sending" || state === "behind";
      node.dataset.state = state;
      one("[data-unsent-note]", node).hidden = isQuiet;
      one(".bubble-foot", node).hidden = !isQuiet;
      for (const part of all("[data-when]", node)) part.hidden = part.dataset.when !== state;
      one(".unsent-actions", node).hidden = record.state === "signed-out";
      one("[data-unsent-retry]", node).hidden = record.state === "lost-file";
    }
  }
  document.addEventListener("click", ({ target }) => {
    const key = target.closest("[data-key]")?.dataset.key;
    const record = key && unsent().find((one) => one.key === key);
    if (!record || running.has(key)) return;
    if (target.closest("[data-unsent-retry]")) {
      clearTimeout(timers.get(key));
      timers.delete(key);
      change(key, { state: "sending", tries: 0 });
      show();
      next(record.conversation);
    } else if (target.closest("[data-unsent-edit]")) {
      Promise.resolve(record.fileId ? atende.files.get(record.fileId) : null).then((file) => {
        drop(key);
        if (record.text) intoComposer(record.text, record.conversation);
        giveBack(file, record.conversation);
        show();
      });
    }
  });

  // What an earlier page of this tab did not send: at once if that was just now, else a person looks at it first.
  for (const record of unsent()) {
    if (isOurs(record) && Date.now() - record.at > FRESH_MINUTES * 60000 && !["refused", "lost-file"].includes(record.state)) change(record.key, { state: "held" });
  }
  let composer = null;
  function opened() {
    restoreDrafts();
    if (composer !== one("[data-composer]")) { composer = one("[data-composer]"); restoreAttached(); }
    show();
  }
  document.addEventListener("atende:opened", opened);
  const referred = () => new Set([...unsent().map((one) => one.fileId), ...Object.keys(localStorage).filter((name) => name.startsWith(ATTACHED)).map((name) => read(name, null)?.id)]);
  setTimeout(() => atende.files.sweep(referred()), 5000);
  // A file that the browser could not keep goes with the page.
  addEventListener("beforeunload", (event) => {
    if (unsent().some((one) => one.tab === tab && one.fileId && atende.files.has(one.fileId) && !atende.files.isKept(one.fileId))) event.preventDefault();
  });
  document.addEventListener("DOMContentLoaded", opened); // once media.js is there, too
  show();
  goOn();
  Object.assign(atende, { intoComposer, unsent });
})();
