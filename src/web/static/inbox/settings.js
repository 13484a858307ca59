// What each browser is set to, the help sheet, and how a page calls: sound and notifications.
(() => {
  const atende = (window.atende ??= {});
  const one = (selector, root = document) => root.querySelector(selector);
  const words = one("#words")?.dataset ?? {};
  const get = (name, otherwise) => localStorage.getItem(`atende ${name}`) ?? otherwise;
  const set = (name, value) => localStorage.setItem(`atende ${name}`, value);

  atende.words = words;
  atende.settings = {
    get undoSeconds() { return Number(get("undo-seconds", "5")); },
    get enterSends() { return get("enter-sends", "off") === "on"; },
  };

  /** A line that leaves by itself; `act` is what its button does. */
  atende.toast = (text, { label = "", act = null, seconds = 6 } = {}) => {
    const line = one("#toast-template").content.firstElementChild.cloneNode(true);
    one("[data-toast-text]", line).textContent = text;
    const button = one("[data-toast-act]", line);
    if (act) { button.textContent = label; button.addEventListener("click", () => { line.remove(); act(); }); } else button.remove();
    one("#notices").append(line);
    setTimeout(() => line.remove(), seconds * 1000);
    return line;
  };

  // --- The sheet -----------------------------------------------------------------------------------------------------
  const sheet = one("#help-sheet");
  const shown = (keys) => keys.split(" ").map((key) => key.split("+").map((part) => {
    const kbd = document.createElement("kbd");
    kbd.textContent = part === "ArrowDown" ? "↓" : part === "ArrowUp" ? "↑" : part;
    return kbd;
  }));
  function fill() {
    const box = one("[data-shortcuts]", sheet);
    box.replaceChildren();
    for (const group of ["list", "conversation", "write", "everywhere"]) {
      const entries = atende.keys.list().filter((entry) => entry.group === group);
      if (!entries.length) continue;
      const heading = document.createElement("h3");
      heading.className = "h4";
      heading.textContent = box.dataset[`words${group[0].toUpperCase()}${group.slice(1)}`];
      const list = document.createElement("dl");
      for (const { keys, description, single } of entries) {
        const name = document.createElement("dt");
        for (const [at, parts] of shown(keys).entries()) { if (at) name.append(" "); name.append(...parts); }
        if (single && !atende.keys.single) name.classList.add("is-off");
        const what = document.createElement("dd");
        what.textContent = description;
        list.append(name, what);
      }
      const part = document.createElement("section");
      part.append(heading, list);
      box.append(part);
    }
    for (const field of sheet.querySelectorAll("[data-setting]")) {
      const { setting } = field.dataset;
      if (setting === "single-keys") field.checked = atende.keys.single;
      else if (field.type === "checkbox") field.checked = get(setting, "off") === "on";
      else field.value = get(setting, "5");
    }
  }
  atende.help = () => { fill(); sheet.showModal(); };
  sheet?.addEventListener("click", (event) => { if (event.target === sheet) sheet.close(); });
  sheet?.addEventListener("change", async ({ target }) => {
    const { setting } = target.dataset;
    if (!setting) return;
    if (setting === "single-keys") { atende.keys.single = target.checked; fill(); return; }
    if (setting === "notify" && target.checked) {
      const allowed = "Notification" in window && (await Notification.requestPermission()) === "granted";
      if (!allowed) { target.checked = false; atende.toast(words.noNotify); }
    }
    if (setting === "sound" && target.checked) chime();
    set(setting, target.type === "checkbox" ? (target.checked ? "on" : "off") : target.value);
  });
  document.addEventListener("click", ({ target }) => { if (target.closest("[data-help]")) atende.help(); });
  atende.keys.register("?", atende.help, words.keyHelp);

  // --- Calling for a person ----------------------------------------------------------------------------------------
  let audio = null;
  function chime() {
    audio ??= new AudioContext();
    const now = audio.currentTime;
    for (const [at, pitch] of [[0, 660], [0.14, 880]]) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, now + at);
      volume.gain.exponentialRampToValueAtTime(0.12, now + at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, now + at + 0.25);
      tone.connect(volume).connect(audio.destination);
      tone.start(now + at);
      tone.stop(now + at + 0.3);
    }
  }
  let last = 0;
  /** A conversation that needs a person: handed off, or a message where a person answers. Not for the one being read. */
  atende.call = (event) => {
    const open = one("[data-conversation]")?.dataset.conversation;
    if (event.conversation_id === open && document.visibilityState === "visible") return;
    const concerns = event.kind === "conversation.handed_off" || event.kind === "conversation.transferred" || event.kind === "conversation.assigned";
    const line = document.getElementById(`row-${event.conversation_id}`);
    const mine = event.kind === "message.received" && line?.querySelector(".pill-green");
    if (!(concerns || mine) || Date.now() - last < 4000) return;
    last = Date.now();
    if (get("sound", "off") === "on") chime();
    if (get("notify", "off") === "on" && document.visibilityState !== "visible" && Notification.permission === "granted") {
      const notice = new Notification(words.needsYou, { tag: event.conversation_id, icon: one('link[rel="icon"]')?.href });
      notice.addEventListener("click", () => { window.focus(); document.querySelector(`#row-${event.conversation_id} [data-open]`)?.click(); notice.close(); });
    }
  };
})();
