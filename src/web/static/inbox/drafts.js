// Suggestions: accepted with a key, edited in place, withdrawn before one's eyes. And what is at hand while answering.
(() => {
  const { one, all, openConversation, token } = atende;

  // --- Editing in place ----------------------------------------------------------------------------------------------
  const isEditing = (card) => Boolean(card && !one("[data-draft-edited]", card)?.hidden);
  function toggleEditing(card) {
    const editor = one("[data-draft-edited]", card);
    const editing = editor.hidden;
    editor.hidden = editor.disabled = !editing;
    one("[data-draft-shown]", card).hidden = editing;
    for (const part of all("[data-when]", card)) part.hidden = (part.dataset.when === "edited") !== editing;
    if (editing) { editor.focus(); editor.setSelectionRange(editor.value.length, editor.value.length); }
    else editor.value = editor.defaultValue;
  }
  document.addEventListener("click", ({ target }) => {
    const edit = target.closest("[data-edit-suggestion]");
    if (edit) toggleEditing(edit.closest("[data-suggestion]"));
    if (target.closest("[data-dismiss-withdrawn]")) target.closest("[data-withdrawn]").remove();
    if (target.closest("[data-use-withdrawn]")) {
      const box = target.closest("[data-withdrawn]");
      atende.intoComposer(one("[data-withdrawn-text]", box).textContent);
      box.remove();
    }
  });

  // --- Withdrawn: what was being written goes to the message field, and the page says why -------------------------------
  let rescued = "";
  document.addEventListener("atende:before-patch", ({ detail: { target, fresh } }) => {
    if (target.id !== "cards") return;
    const card = one("[data-suggestion]", target);
    const next = one("[data-suggestion]", fresh);
    if (!card || card.dataset.suggestion === next?.dataset.suggestion) return;
    const editor = one("[data-draft-edited]", card);
    const isOwn = one("form[data-send]", card)?.dataset.sent;
    if (!isOwn && isEditing(card) && editor.value !== editor.defaultValue) {
      rescued = editor.value;
      atende.intoComposer(rescued);
    }
    if (card.contains(document.activeElement)) document.activeElement.blur();
    // An element in use is not patched away: this one is gone, whatever is in it.
    editor.value = editor.defaultValue;
    for (const field of all("input:not([type=hidden])", card)) field.value = field.defaultValue;
  });
  document.addEventListener("atende:patched", ({ detail: { target } }) => {
    if (target.id === "cards" && rescued) {
      const note = one("#withdrawn [data-kept]");
      if (note) note.hidden = false;
      rescued = "";
    }
  });
  document.addEventListener("atende:sent", () => one("#withdrawn")?.replaceChildren());

  // --- Another one --------------------------------------------------------------------------------------------------------
  const asking = (element, on) => {
    const card = element.closest("[data-suggestion]");
    const note = card && one("[data-asking]", card);
    if (!note) return;
    note.hidden = !on;
    card.toggleAttribute("aria-busy", on);
    for (const menu of all("[data-menu][open]", card)) menu.open = false;
  };
  document.body.addEventListener("htmx:beforeRequest", ({ detail }) => { if (detail.elt.matches?.("[data-asks-model]")) asking(detail.elt, true); });
  document.body.addEventListener("htmx:afterRequest", ({ detail }) => { if (detail.elt.matches?.("[data-asks-model]")) asking(detail.elt, false); });

  // --- Keys (inbox/keys.js) ------------------------------------------------------------------------------------------------
  const words = JSON.parse(atende.workspace?.dataset.draftKeys ?? "{}");
  const button = (act) => one(`#cards [data-act="${act}"]`);
  for (const [key, act] of [["a", "suggestion.accept"], ["e", "suggestion.edit"], ["x", "suggestion.reject"], ["o", "suggestion.another"]]) {
    atende.keys?.register(key, (event) => {
      if (event.repeat) return;
      const found = button(act);
      const menu = found.tagName === "SUMMARY" ? found.parentElement : null;
      found.click();
      if (menu?.open) one("button, input", menu)?.focus();
    }, words[act] ?? act, { group: "write", when: () => Boolean(button(act)) });
  }

  // --- Who else is here (presence over the websocket) ------------------------------------------------------------------------
  document.addEventListener("atende:presence", ({ detail }) => {
    const box = one("#looking");
    if (!box || detail.conversation_id !== openConversation()) return;
    const others = detail.people.filter((person) => person.user_id !== atende.workspace.dataset.user);
    const writing = others.filter((person) => person.typing);
    const names = (writing.length ? writing : others).map((person) => person.name).join(", ");
    const text = names && (writing.length ? box.dataset.writing : box.dataset.looking).replace("%(who)s", names);
    if (one("span", box).textContent !== text) one("span", box).textContent = text;
    box.hidden = !others.length;
  });

  // --- At hand: texts in other words, put into the message field, which can be undone ------------------------------------
  let undo = null;
  const bar = () => one("[data-at-hand]");
  const field = () => one("textarea[data-draft]");
  function put(text) {
    const box = field();
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
  }
  async function ask(path, fields) {
    const answer = await fetch(path, {
      method: "POST", body: new URLSearchParams(fields), headers: { "HX-Request": "true", Accept: "text/html", "X-CSRF-Token": token() },
    }).catch(() => null);
    if (answer?.ok) return answer.json();
    if (!answer) atende.lost();
    else if (answer.status === 401) atende.signedOut();
    else one("#notices").insertAdjacentHTML("beforeend", await answer.text());
    return null;
  }
  async function helped(path, fields) {
    const box = field(), text = box.value, conversation = openConversation();
    if (!text.trim()) { box.focus(); return; }
    const here = bar();
    for (const menu of all("[data-menu][open]", here)) menu.open = false;
    one("[data-helping]", here).hidden = false;
    one("[data-helped]", here).hidden = true;
    const found = await ask(`${here.dataset.atHand}/${path}`, { text, ...fields });
    one("[data-helping]", here).hidden = true;
    if (!found || conversation !== openConversation()) return;
    if (field().value !== text) { atende.intoComposer(found.text); return; } // somebody wrote on meanwhile: nothing of it is lost
    undo = { conversation, text, made: found.text };
    put(found.text);
    one("[data-helped]", here).hidden = false;
    one("[data-added]", here).hidden = !found.added.length;
    one("[data-added-text]", here).textContent = found.added.join(" · ");
  }
  document.addEventListener("input", ({ target }) => {
    if (target === field() && undo && target.value !== undo.made) forget();
  });
  function forget() {
    undo = null;
    const done = one("[data-helped]");
    if (done) done.hidden = true;
  }
  document.addEventListener("atende:opened", () => { if (undo && undo.conversation !== openConversation()) forget(); });

  const translations = new Map();
  async function translate(button) {
    const id = button.dataset.translate;
    const bubble = button.closest(".bubble");
    const shown = one("[data-translation]", bubble);
    if (shown) { shown.remove(); translations.delete(id); return; }
    button.disabled = true;
    const found = await ask(`/inbox/${openConversation()}/help/messages/${id}/translation`, {});
    button.disabled = false;
    if (found) { translations.set(id, found.text); showTranslations(); }
  }
  function showTranslations() {
    for (const [id, text] of translations) {
      const bubble = one(`#message-${id} .bubble`);
      if (!bubble || one("[data-translation]", bubble)) continue;
      const quote = document.createElement("blockquote");
      quote.className = "quoted translation";
      quote.dir = "auto";
      quote.dataset.translation = id;
      quote.textContent = text;
      one(".bubble-foot", bubble).before(quote);
    }
  }
  document.addEventListener("atende:patched", ({ detail: { target } }) => { if (target.id === "timeline") showTranslations(); });
  document.addEventListener("atende:opened", showTranslations);

  const panel = () => one("#at-hand");
  document.addEventListener("click", ({ target }) => {
    const rewrite = target.closest("[data-rewrite]"), to = target.closest("[data-translate-to]"), of = target.closest("[data-translate]");
    if (rewrite) helped("rewrite", { wanted: rewrite.dataset.rewrite });
    if (to) helped("translate", { language: to.dataset.translateTo });
    if (of) translate(of);
    if (target.closest("[data-undo-help]") && undo) { const { text } = undo; undo = null; put(text); forget(); }
    if (target.closest("[data-close-help]")) { panel().hidden = true; field()?.focus(); }
    const text = target.closest(".help-passages li, .help-result")?.querySelector("[data-help-text]")?.textContent;
    if (text && target.closest("[data-insert-help]")) {
      const box = field(), before = box.value;
      atende.intoComposer(text.trim());
      undo = { conversation: openConversation(), text: before, made: box.value };
      one("[data-helped]").hidden = false;
      one("[data-added]").hidden = true;
    }
    if (text && target.closest("[data-copy-help]")) navigator.clipboard?.writeText(text.trim());
  });
  document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target?.id !== "at-hand-content" || detail.xhr.status >= 400) return;
    panel().hidden = false;
    (one("input", detail.target) ?? detail.target).focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel()?.contains(event.target)) { panel().hidden = true; field()?.focus(); }
  });
})();
