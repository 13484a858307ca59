// Files into the message field: chosen, pasted, dropped or recorded; and emoji.
(() => {
  const atende = (window.atende ??= {});
  const one = (selector, root = document) => root.querySelector(selector);
  const { words } = atende;
  const composer = () => one("[data-composer]");
  let shown = null; // the address of what is previewed

  function preview(form) {
    const file = one("[data-attach]", form)?.files[0];
    if (shown) URL.revokeObjectURL(shown);
    shown = file && /^(image|audio)\//.test(file.type) ? URL.createObjectURL(file) : null;
    one("[data-attached]", form).hidden = !file;
    one("[data-attached-name]", form).textContent = file?.name ?? "";
    for (const [kind, element] of [["image", one("[data-attached-image]", form)], ["audio", one("[data-attached-audio]", form)]]) {
      element.hidden = !file?.type.startsWith(`${kind}/`);
      if (element.hidden) element.removeAttribute("src"); else element.src = shown;
    }
    one("[data-draft]", form).required = !file;
  }
  const tellAttached = (form, file) => atende.tell("attached", { conversation: one("[data-draft]", form).dataset.draft, file });
  /** `restored`: it was there before, and is kept already. */
  function attach(file, { restored = false } = {}) {
    const form = composer();
    if (!form || !file) return;
    const holder = new DataTransfer();
    holder.items.add(file);
    one("[data-attach]", form).files = holder.files;
    if (!restored) { atende.composer.note(false); one("[data-draft]", form).focus(); tellAttached(form, file); }
    preview(form);
  }
  /** `elsewhere`: whoever took it away has told everybody. */
  function detach(form = composer(), { elsewhere = false } = {}) {
    const input = form && one("[data-attach]", form);
    if (!input) return;
    input.value = "";
    preview(form);
    if (!elsewhere) tellAttached(form, null);
  }
  atende.media = { attach, detach, record: start, emoji: toggleEmoji };

  document.addEventListener("atende:detach", ({ detail }) => detach(detail, { elsewhere: true }));
  document.addEventListener("change", ({ target }) => {
    if (!target.matches("[data-attach]")) return;
    preview(target.form);
    tellAttached(target.form, target.files[0] ?? null);
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file || !composer() || event.target.closest("dialog") || (atende.keys.isTyping(event.target) && !event.target.matches("[data-draft]"))) return;
    event.preventDefault();
    attach(file.name ? file : new File([file], "image.png", { type: file.type }));
  });
  let over = 0;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files") && composer() && event.target.closest?.(".open-conversation");
  document.addEventListener("dragenter", (event) => { if (carries(event)) { over += 1; document.body.classList.add("is-dropping"); } });
  document.addEventListener("dragleave", (event) => { if (carries(event)) { over -= 1; if (over <= 0) { over = 0; document.body.classList.remove("is-dropping"); } } });
  document.addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    over = 0;
    document.body.classList.remove("is-dropping");
    if (!carries(event)) return;
    event.preventDefault();
    attach(event.dataTransfer.files[0]);
  });
  // --- Voice notes -------------------------------------------------------------------------------------------------------
  const LONGEST_SECONDS = 600;
  const FORMATS = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];
  const ENDINGS = { "audio/ogg": "ogg", "audio/webm": "webm", "audio/mp4": "m4a" };
  let recorder = null;
  async function start() {
    const form = composer();
    if (!form || recorder) return;
    let stream;
    try { stream = await navigator.mediaDevices.getUserMedia({ audio: true }); } catch { atende.toast(words.noMicrophone); return; }
    const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format));
    const parts = [];
    const began = Date.now();
    const box = one("[data-recording]", form);
    recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
    const clock = setInterval(() => {
      const seconds = Math.floor((Date.now() - began) / 1000);
      one("[data-recorded]", box).textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      if (seconds >= LONGEST_SECONDS) stop(true);
    }, 250);
    recorder.keep = true;
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    recorder.addEventListener("stop", () => {
      clearInterval(clock);
      stream.getTracks().forEach((track) => track.stop());
      const { keep } = recorder;
      const type = (recorder.mimeType || "audio/webm").split(";")[0];
      recorder = null;
      box.hidden = true;
      form.classList.remove("is-recording");
      const stamp = new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-");
      if (keep && form.isConnected) attach(new File(parts, `voice-${stamp}.${ENDINGS[type] ?? "webm"}`, { type }));
    });
    recorder.start(1000);
    box.hidden = false;
    form.classList.add("is-recording");
    one("[data-record-stop]", box).focus();
  }
  function stop(keep) {
    if (!recorder || recorder.state === "inactive") return;
    recorder.keep = keep;
    recorder.stop();
  }
  addEventListener("pagehide", () => stop(false));

  // --- Emoji: those that people use with customers, the latest chosen first --------------------------------------------
  const EMOJI = "😀 😄 😁 😅 😂 🙂 😉 😊 😍 🤩 😘 😎 🤔 🤗 😐 😔 😢 😭 😡 😱 🙄 😴 👍 👎 👌 👏 🙌 🙏 💪 🤝 👋 ✌️ 🤞 👀 ❤️ 💙 💚 💛 🧡 💜 💔 🔥 ✨ ⭐ 🎉 🎁 🎂 🥳 ✅ ❌ ⚠️ ❓ ❗ 💡 📌 📎 📦 🚚 🛒 💳 💰 🧾 📅 ⏰ ⏳ 📞 📱 💬 📧 📍 🏠 🏬 🚗 ✈️ 👕 👟 👜 💊 🍕 ☕ 🌞 🌧️".split(" ");
  const RECENT = "atende emoji";
  function toggleEmoji() {
    const panel = one("#emoji-panel");
    if (!panel) return;
    panel.hidden = !panel.hidden;
    one("[data-emoji]").setAttribute("aria-expanded", String(!panel.hidden));
    if (panel.hidden) { atende.composer.field()?.focus(); return; }
    const recent = (localStorage.getItem(RECENT) ?? "").split(" ").filter((sign) => EMOJI.includes(sign));
    panel.replaceChildren(...[...new Set([...recent, ...EMOJI])].map((sign) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = sign;
      button.dataset.sign = sign;
      button.setAttribute("role", "option");
      return button;
    }));
    panel.firstElementChild.focus();
  }
  document.addEventListener("keydown", (event) => {
    const sign = event.target.closest?.("[data-sign]");
    if (!sign) return;
    const panel = sign.parentElement;
    const columns = Math.max(1, Math.floor(panel.clientWidth / sign.offsetWidth));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (step) { event.preventDefault(); panel.children[[...panel.children].indexOf(sign) + step]?.focus(); }
    if (event.key === "Escape") { event.preventDefault(); toggleEmoji(); }
  });
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-detach]")) detach();
    else if (target.closest("[data-record]")) start();
    else if (target.closest("[data-record-stop]")) stop(true);
    else if (target.closest("[data-record-drop]")) stop(false);
    else if (target.closest("[data-emoji]")) toggleEmoji();
    const sign = target.closest("[data-sign]");
    if (sign) {
      const recent = [sign.dataset.sign, ...(localStorage.getItem(RECENT) ?? "").split(" ")];
      localStorage.setItem(RECENT, [...new Set(recent)].slice(0, 10).join(" "));
      toggleEmoji();
      atende.composer.insert(sign.dataset.sign);
    } else if (!target.closest("#emoji-panel, [data-emoji]")) { const panel = one("#emoji-panel"); if (panel) panel.hidden = true; }
  });
})();
