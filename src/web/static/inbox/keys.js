// The keyboard map: every part of the inbox registers its keys here, and the help sheet (?) lists them.
//
//   atende.keys.register("j", () => next(), "Next conversation")       a single key; works outside of text fields
//   atende.keys.register("g m", () => …, "Go to mine")                 two keys, one after the other
//   atende.keys.register("Ctrl+Enter", (event) => …, "Send", { typing: true })
//
// A key is what event.key says, with modifiers in the order Ctrl+Alt+Shift+ (Ctrl stands for Cmd on a Mac, too). The
// action may return false: then the key was not meant for it, and the browser goes on. Options:
//   typing   also inside text fields (combinations with Ctrl or Alt, and Escape, only)
//   group    the heading in the help sheet: "list", "conversation", "write" or "everywhere" (default)
//   when     () => boolean: whether the action is there at the moment; otherwise the key is nobody's
//   hidden   not in the help sheet
// The same key may be registered several times: the last one whose `when` holds gets it. Single keys can be switched
// off (WCAG 2.1.4); combinations stay. register returns a function that takes the key away again.
(() => {
  const atende = (window.atende ??= {});
  const entries = [];
  const SWITCH = "atende single keys";
  const SEQUENCE_MS = 1200;
  let pending = "";
  let timer = null;

  const isTyping = (element) => element?.matches?.("input:not([type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable]");
  const isSingle = (keys) => keys.split(" ").every((key) => !/^(Ctrl|Alt)\+/.test(key)) && !["Escape"].includes(keys);
  const singleKeys = () => localStorage.getItem(SWITCH) !== "off";

  function register(keys, action, description, { typing = false, group = "everywhere", when = () => true, hidden = false } = {}) {
    const entry = { keys, action, description, typing, group, when, hidden };
    entries.push(entry);
    return () => { entries.splice(entries.indexOf(entry), 1); };
  }

  function named(event) {
    let key = event.key === " " ? "Space" : event.key;
    if (key.length === 1 && (event.ctrlKey || event.metaKey || event.altKey)) key = key.toLowerCase();
    let name = "";
    if (event.ctrlKey || event.metaKey) name += "Ctrl+";
    if (event.altKey) name += "Alt+";
    if (event.shiftKey && key.length > 1) name += "Shift+";
    return name + key;
  }

  function found(keys, typing) {
    for (let at = entries.length - 1; at >= 0; at -= 1) {
      const entry = entries[at];
      if (entry.keys !== keys || (typing && !entry.typing) || (isSingle(keys) && (typing || !singleKeys()))) continue;
      if (entry.when()) return entry;
    }
    return null;
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || ["Control", "Shift", "Alt", "Meta", "AltGraph"].includes(event.key)) return;
    const typing = isTyping(event.target);
    const key = named(event);
    // A dialog has its own keys; only what is meant for everywhere and typed with a modifier reaches the page below.
    if (event.target.closest?.("dialog[open]") && !/^Ctrl\+/.test(key)) return;
    const keys = pending ? `${pending} ${key}` : key;
    clearTimeout(timer);
    pending = "";
    const entry = found(keys, typing) ?? (keys === key ? null : found(key, typing));
    if (entry) {
      if (entry.action(event) !== false) event.preventDefault();
      return;
    }
    if (!typing && singleKeys() && entries.some((one) => one.keys.startsWith(`${key} `))) {
      pending = key;
      timer = setTimeout(() => { pending = ""; }, SEQUENCE_MS);
      event.preventDefault();
    }
  });

  document.body.dataset.singleKeys = singleKeys() ? "on" : "off";
  atende.keys = {
    register,
    isTyping,
    /** What is registered and there now, for the help sheet: keys, description, group, single. */
    list: () => entries.filter((entry) => !entry.hidden && entry.when()).map(({ keys, description, group }) => ({ keys, description, group, single: isSingle(keys) })),
    get single() { return singleKeys(); },
    set single(on) { document.body.dataset.singleKeys = on ? "on" : "off"; localStorage.setItem(SWITCH, on ? "on" : "off"); },
  };
})();
