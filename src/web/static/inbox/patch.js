// Fragments are patched in, not swapped: what did not change stays the very same element. So a flood of events takes
// nobody's focus, selection, half-typed word or playing voice message away.
(() => {
  const { one, all } = atende;
  const made = new WeakMap(); // element → the server's HTML that it was made of

  const htmlOf = (node) => made.get(node) ?? node.outerHTML;
  const isInUse = (node) => (node.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"))
    || all("input:not([type=hidden]), textarea", node).some((field) => !field.disabled && field.type !== "file" && field.value !== field.defaultValue);

  /** Make `target`'s children those of `fresh`. Elements in use are left as they are until they no longer are. Given
      `after`, a child of `target`, only the children behind it become `parts`. */
  function patch(target, fresh, after = null, parts = [...fresh.children]) {
    const behind = [...target.childNodes].slice(after ? [...target.childNodes].indexOf(after) + 1 : 0);
    const html = new Map(), ids = new Map(), old = behind.filter((node) => node.nodeType === Node.ELEMENT_NODE);
    for (const node of old) {
      const source = htmlOf(node);
      if (!html.has(source)) html.set(source, []);
      html.get(source).push(node);
      if (node.id) ids.set(node.id, node);
    }
    const kept = new Set(), wanted = [];
    parts.forEach((node, place) => {
      const source = node.outerHTML;
      let same = html.get(source)?.shift();
      while (same && kept.has(same)) same = html.get(source).shift();
      if (!same) {
        const former = node.id ? ids.get(node.id) : old[place]?.id ? null : old[place];
        if (former && !kept.has(former) && former.tagName === node.tagName && isInUse(former)) same = former;
        else {
          const copy = document.importNode(node, true);
          made.set(copy, source);
          if (former && former.tagName === copy.tagName) keepOpen(former, copy);
          wanted.push(copy);
          return;
        }
      }
      kept.add(same);
      wanted.push(same);
    });
    for (const node of behind) {
      if (kept.has(node)) continue;
      if (node.nodeType === Node.ELEMENT_NODE) htmx.trigger(node, "htmx:beforeCleanupElement");
      node.remove();
    }
    let at = after ? after.nextSibling : target.firstChild;
    for (const node of wanted) {
      if (node === at) { at = at.nextSibling; continue; }
      target.insertBefore(node, at);
    }
    for (const node of wanted) if (!kept.has(node)) htmx.process(node);
  }
  /** What somebody folded open stays open. */
  function keepOpen(former, copy) {
    const before = all("details", former);
    all("details", copy).forEach((box, place) => { if (before[place]?.open) box.open = true; });
  }
  /** Remember what the server said before scripts and people change it. */
  function learn(target) {
    if (target) for (const node of target.children) made.set(node, node.outerHTML);
  }

  const PARTS = ["head", "banner", "timeline", "cards", "composer-mode", "details"];
  const learnAll = () => PARTS.forEach((id) => learn(document.getElementById(id)));
  learnAll();
  document.body.addEventListener("htmx:afterSwap", ({ detail }) => { if (detail.target?.id === "pane") learnAll(); });
  document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { detail } = event;
    const target = detail.target;
    if (!PARTS.includes(target.id) && target.id !== "withdrawn") return;
    detail.shouldSwap = false;
    const fresh = detail.fragment.firstElementChild?.id === target.id ? detail.fragment.firstElementChild : detail.fragment;
    if (target.id === "withdrawn" && !fresh.children.length) return; // it stays until it was read
    let after = null, parts = [...fresh.children];
    if (fresh.dataset?.end !== undefined) {
      // Only the end of the thread: what comes after a message that is on screen already.
      const first = parts.findIndex((node) => node.matches(".bubble-row"));
      after = [...target.children].find((node) => node.id && node.id === parts[first]?.id);
      if (!after) { atende.tell("torn"); return; }
      parts = parts.slice(first + 1);
    }
    atende.tell("before-patch", { target, fresh });
    patch(target, fresh, after, parts);
    atende.tell("patched", { target });
  });
  Object.assign(atende, { patch });
})();
