// Acts by key, several at once, and refreshes that leave alone what somebody is filling in.
(() => {
  const atende = (window.atende ??= {});
  const one = (selector, root = document) => root.querySelector(selector);
  const { words } = atende;
  const keyWord = (name) => words[`key${name.split("-").map((part) => part[0].toUpperCase() + part.slice(1)).join("")}`];
  const control = (name) => one(`[data-act="${name}"]`);
  const isOpen = () => Boolean(one("[data-conversation]"));

  /** Do what the control does: press it, open its menu, or go into its field. */
  function act(name) {
    const found = control(name);
    if (!found) return false;
    if (found.matches("input, select, textarea")) {
      if (!found.offsetParent) one(".workspace").classList.add("shows-details");
      found.scrollIntoView({ block: "nearest" });
      found.focus();
    } else if (found.matches("summary")) {
      found.parentElement.open = true;
      found.parentElement.querySelector(".menu-sheet :is(button, select, input:not([type=hidden]), textarea)")?.focus();
    } else found.click();
    return true;
  }
  atende.act = act;
  const { register } = atende.keys;
  const there = (name) => ({ group: "conversation", when: () => Boolean(control(name)) });
  for (const [key, name] of [["c", "claim"], ["f", "close"], ["F", "close-with"], ["m", "move"], ["s", "snooze"], ["b", "return"], ["l", "label"], ["p", "priority"], ["t", "tag"], ["T", "task"], ["L", "lead"], ["u", "unread"]])
    register(key, () => act(name), keyWord(name), there(name));
  register("i", () => { one(".workspace").classList.toggle("shows-details"); one(".workspace").classList.toggle("hides-details"); }, keyWord("details"), { group: "conversation", when: isOpen });
  register("z", () => atende.undo(), keyWord("undo"), { group: "conversation" });
  register("j", () => atende.list.open(1), keyWord("next"), { group: "list" });
  register("k", () => atende.list.open(-1), keyWord("previous"), { group: "list" });
  register("ArrowDown", () => atende.list.move(1), "", { hidden: true, when: () => Boolean(document.activeElement?.closest("[data-row]")) });
  register("ArrowUp", () => atende.list.move(-1), "", { hidden: true, when: () => Boolean(document.activeElement?.closest("[data-row]")) });
  register("v", () => { const row = document.activeElement?.closest("[data-row]") ?? one('[data-row][aria-current="true"]'); one("[data-pick]", row ?? document)?.click(); }, keyWord("select"), { group: "list", when: () => Boolean(one("[data-row]")) });
  register("/", () => { one("#list-search").focus(); one("#list-search").select(); }, keyWord("search"), { group: "list" });
  for (const [key, view] of [["m", "mine"], ["u", "unassigned"], ["w", "waiting"], ["b", "bot"], ["a", "all"]])
    register(`g ${key}`, () => one(`[data-view="${view}"]`).click(), keyWord(`go-${view}`), { group: "list" });
  register("g l", () => atende.list.move(1), keyWord("list"), { group: "list" });
  register("g t", () => one("#thread").focus(), keyWord("thread"), { group: "conversation", when: isOpen });
  const writing = { group: "write", when: isOpen };
  register("r", () => { atende.composer.note(false); }, keyWord("reply"), writing);
  register("n", () => { atende.composer.note(true); }, keyWord("note"), writing);
  register("Ctrl+Enter", (event) => {
    const form = event.target.closest("form[hx-post]");
    if (!form) return false;
    form.requestSubmit(form.querySelector("button[type=submit]"));
    return true;
  }, keyWord("send"), { ...writing, typing: true });
  register("Ctrl+/", () => { const field = atende.composer.field(); if (!field.value) atende.composer.write("/"); field.dispatchEvent(new Event("input", { bubbles: true })); }, keyWord("canned"), { ...writing, typing: true });
  register("Alt+e", () => atende.media.emoji(), keyWord("emoji"), { ...writing, typing: true });
  register("Alt+a", () => one("[data-attach]").click(), keyWord("attach"), { ...writing, typing: true });
  register("Alt+r", () => atende.media.record(), keyWord("voice"), { ...writing, typing: true });

  // --- Menus: closed again once they have done their work, and the keyboard goes back to where it was --------------------
  document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
    const menu = detail.elt.closest?.("[data-menu][open]");
    if (menu && detail.successful && detail.requestConfig.verb !== "get") menu.open = false; // a get has only filled it
  });
  document.addEventListener("change", ({ target }) => {
    if (target.matches("[data-snooze-until]")) {
      const button = one("[data-snooze-at]", target.form);
      button.value = target.value;
      button.disabled = !target.value;
    }
    if (target.matches("[data-bulk-act]")) {
      for (const field of target.form.querySelectorAll("[data-bulk-for]")) {
        const wanted = field.dataset.bulkFor === target.value;
        field.hidden = field.disabled = !wanted;
      }
    }
  });
  document.body.addEventListener("atende:left-unread", () => { location.assign(`${one(".workspace").dataset.base}${location.search}`); });
  document.body.addEventListener("atende:changed", ({ detail }) => { for (const id of (detail.ids ?? "").split(",")) atende.list.changed(id); });

  // --- Business functions by hand ------------------------------------------------------------------------------------------
  document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
    const box = one("#by-hand");
    if (detail.target?.id === "by-hand-content" && detail.xhr.status < 400 && !box.open) box.showModal();
  });

  // --- A form that has done its work is empty again, and the keyboard stays where it was -----------------------------------
  let back = null;
  document.body.addEventListener("htmx:beforeOnLoad", ({ detail }) => {
    const { elt, xhr } = detail;
    if (xhr.status >= 300 || !elt.closest?.("#head, #details, #banner")) return;
    // Closed before the answer is put in: what somebody folded open stays open in the new one.
    const menu = elt.closest("[data-menu][open]");
    if (menu && detail.requestConfig.verb !== "get") menu.open = false;
    const active = document.activeElement;
    if (active.closest("#head, #details")) {
      back = active.dataset.act ?? active.closest("[data-menu]")?.querySelector("summary")?.dataset.act ?? active.name;
      active.blur();
    }
    if (elt.matches("form")) elt.reset();
    else if (elt.form) elt.form.reset();
  });
  document.addEventListener("atende:patched", ({ detail }) => {
    if (!back || detail.target.id !== "details") return;
    const name = back;
    back = null;
    (control(name) ?? one(`#details [name="${CSS.escape(name)}"]`))?.focus({ preventScroll: true });
  });
})();
