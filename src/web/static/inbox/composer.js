// Writing: notes, canned replies by "/", and taking back what was sent. Drafts and sending itself: sending.js.
(() => {
  const atende = (window.atende ??= {});
  const one = (selector, root = document) => root.querySelector(selector);
  const { words } = atende;
  const composer = () => one("[data-composer]");
  const field = () => one("[data-draft]");

  // --- The field grows with its text -----------------------------------------------------------------------------------
  function grow() {
    const text = field();
    if (!text) return;
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight + 2, 260)}px`;
  }
  function write(text, { append = false, caret = null } = {}) {
    const draft = field();
    if (!draft) return;
    draft.value = append && draft.value ? `${draft.value}${text}` : text;
    draft.dispatchEvent(new Event("input", { bubbles: true }));
    draft.focus();
    const at = caret ?? draft.value.length;
    draft.setSelectionRange(at, at);
  }
  function insert(text) {
    const draft = field();
    if (!draft) return;
    draft.setRangeText(text, draft.selectionStart, draft.selectionEnd, "end");
    draft.dispatchEvent(new Event("input", { bubbles: true }));
    draft.focus();
  }
  atende.composer = { write, insert, field, note: (on) => noteMode(on), grow };

  // --- Notes for colleagues ------------------------------------------------------------------------------------------
  function noteMode(on = !composer()?.classList.contains("is-note")) {
    const form = composer();
    if (!form) return;
    form.classList.toggle("is-note", on);
    form.dataset.replyTo ??= form.getAttribute("hx-post");
    form.setAttribute("hx-post", on ? form.dataset.noteTo : form.dataset.replyTo);
    one("[data-note-mode]", form).setAttribute("aria-pressed", String(on));
    const draft = field();
    draft.dataset.placeholder ??= draft.placeholder;
    draft.placeholder = on ? draft.dataset.notePlaceholder : draft.dataset.placeholder;
    draft.focus();
  }

  document.addEventListener("input", ({ target }) => {
    const draft = target.closest?.("[data-draft]");
    if (!draft) return;
    grow();
    suggest();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-note-mode]")) noteMode();
    const choice = target.closest("[data-canned-text]");
    if (choice) choose(choice);
    else if (!target.closest("[data-composer]")) hideCanned();
  });
  // --- Sent, and taken back ---------------------------------------------------------------------------------------------
  let lastFile = null; // of the message sent last: it goes back into the field with its text
  document.addEventListener("formdata", ({ target, formData }) => {
    if (!target.matches("form[data-send]") || target.classList.contains("is-note")) return;
    formData.set("undo", String(atende.settings.undoSeconds));
    const file = formData.get("file");
    lastFile = file instanceof File && file.size ? file : null;
  });
  let lastUndo = null;
  function offerUndo(text, seconds, act) {
    const line = atende.toast(text, { label: words.undo, act: () => { lastUndo = null; act(); }, seconds });
    const mine = () => { lastUndo = null; line.remove(); act(); };
    lastUndo = mine;
    setTimeout(() => { if (lastUndo === mine) lastUndo = null; }, seconds * 1000);
  }
  const post = (path) => htmx.ajax("POST", path, { source: "#thread", swap: "none" }).catch(() => {});
  atende.undo = () => { if (lastUndo) lastUndo(); else return false; return true; };
  document.addEventListener("atende:sent", () => { if (composer()?.classList.contains("is-note")) noteMode(false); });
  document.body.addEventListener("atende:held", ({ detail }) => {
    offerUndo(words.sent, detail.undo, () => post(`/inbox/${detail.conversation}/outbox/${detail.outbox}/withdraw`));
    setTimeout(() => { document.body.dispatchEvent(new CustomEvent("atende:refresh-conversation")); }, detail.undo * 1000 + 400);
  });
  document.body.addEventListener("atende:withdrawn", ({ detail }) => {
    lastUndo = null;
    if (composer()?.classList.contains("is-note")) noteMode(false);
    atende.intoComposer(detail.text, detail.conversation);
    if (lastFile && atende.openConversation() === detail.conversation) atende.media.attach(lastFile);
    atende.toast(words.takenBack, { seconds: 4 });
  });
  document.body.addEventListener("atende:closed", ({ detail }) => {
    offerUndo(words.closed, 8, () => post(`/inbox/${detail.conversation}/closing/undo`));
  });
  // --- Canned replies: "/" at the beginning, or Ctrl+/ anywhere ----------------------------------------------------------
  let replies = null;
  let chosen = 0;
  const panel = () => one("#canned");
  async function load(path) {
    if (replies?.path !== path) {
      const answer = await fetch(path, { headers: { Accept: "application/json" } });
      replies = { path, list: answer.ok ? await answer.json() : [] };
    }
    return replies.list;
  }
  const wanted = () => /^\/([\w-]*)$/.exec(field()?.value ?? "")?.[1];
  async function suggest() {
    const asked = wanted();
    if (asked === undefined) { hideCanned(); return; }
    const list = await load(composer().dataset.canned).catch(() => []);
    if (wanted() !== asked) return;
    const found = list.filter(({ shortcut, text }) => shortcut.startsWith(asked) || (asked.length > 2 && text.toLowerCase().includes(asked.toLowerCase()))).slice(0, 8);
    const box = panel();
    box.replaceChildren(...found.map(({ shortcut, text, missing }, at) => {
      const line = document.createElement("button");
      line.type = "button";
      line.id = `canned-${at}`;
      line.className = "canned-line";
      line.setAttribute("role", "option");
      line.setAttribute("aria-selected", String(at === 0));
      line.tabIndex = -1;
      line.dataset.cannedText = text;
      line.dataset.missing = missing.join(", ");
      const name = document.createElement("strong");
      name.textContent = `/${shortcut}`;
      const shown = document.createElement("span");
      shown.textContent = text;
      line.append(name, shown);
      return line;
    }));
    if (!found.length) { const none = document.createElement("p"); none.className = "text-secondary"; none.textContent = list.length ? words.noCanned : words.noReplies; box.append(none); }
    box.hidden = false;
    chosen = 0;
    field().setAttribute("aria-activedescendant", found.length ? "canned-0" : "");
  }
  function hideCanned() { const box = panel(); if (box && !box.hidden) { box.hidden = true; field()?.removeAttribute("aria-activedescendant"); } }
  function choose(line) {
    hideCanned();
    write(line.dataset.cannedText);
    if (line.dataset.missing) atende.toast(`${words.missing} ${line.dataset.missing}`);
  }
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches?.("[data-draft]")) return;
    const box = panel();
    if (!box.hidden) {
      const lines = [...box.querySelectorAll("[data-canned-text]")];
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        chosen = (chosen + (event.key === "ArrowDown" ? 1 : lines.length - 1)) % Math.max(1, lines.length);
        lines.forEach((line, at) => line.setAttribute("aria-selected", String(at === chosen)));
        field().setAttribute("aria-activedescendant", `canned-${chosen}`);
        lines[chosen]?.scrollIntoView({ block: "nearest" });
        return;
      }
      if ((event.key === "Enter" || event.key === "Tab") && lines[chosen]) { event.preventDefault(); choose(lines[chosen]); return; }
      if (event.key === "Escape") { event.preventDefault(); hideCanned(); return; }
    }
    if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.metaKey && !event.isComposing && atende.settings.enterSends) {
      event.preventDefault();
      event.target.form.requestSubmit(one("button[type=submit]", event.target.form));
    }
  }, { capture: true });

  document.addEventListener("atende:opened", grow);
  grow();
})();
