// The simulated phone: writes through the same door as any program would, and shows what really arrived.
(() => {
  const column = document.querySelector("[data-phone]");
  if (!column) return;
  const session = column.dataset.phone;
  const chat = column.querySelector("#phone-chat");
  const form = column.querySelector("[data-phone-composer]");
  const input = form.querySelector("input");
  const customers = () => [...column.querySelectorAll("[data-customer]")];
  const remembered = sessionStorage.getItem("customer");
  let customer = customers().find((button) => button.dataset.customer === remembered)?.dataset.customer ?? customers()[0]?.dataset.customer;
  let follow = false;
  let asked = 0;

  async function show() {
    const mine = ++asked;
    const answer = await fetch(`/demo/phone/${session}?contact=${encodeURIComponent(customer)}`, { headers: { "HX-Request": "true" } });
    if (!answer.ok || mine !== asked) return;
    const html = await answer.text();
    if (chat.dataset.shown === html) return;
    chat.dataset.shown = html;
    const parsed = new DOMParser().parseFromString(html, "text/html");
    chat.replaceChildren(...parsed.body.childNodes);
    chat.scrollTop = chat.scrollHeight;
  }
  const refresh = () => show().catch(() => {});

  function choose(name) {
    customer = name;
    sessionStorage.setItem("customer", name);
    for (const button of customers()) button.setAttribute("aria-checked", String(button.dataset.customer === name));
    delete chat.dataset.shown;
    refresh();
    openInInbox();
    input.focus();
  }
  function openInInbox() {
    const row = [...document.querySelectorAll("[data-row]")].find((element) => element.dataset.address === `simulator:${customer}`);
    const open = document.querySelector("[data-conversation]")?.dataset.conversation;
    if (row && row.dataset.row !== open) row.querySelector("[data-open]").click();
    return Boolean(row);
  }

  async function send(text) {
    const message = { contact: customer, id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, text, kind: "text" };
    const answer = await fetch(`/simulator/${session}/messages`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(message),
    });
    if (!answer.ok) throw new Error(`the phone's door answered ${answer.status}`);
    follow = !openInInbox();
    refresh();
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value;
    if (!text.trim()) return;
    input.value = "";
    try { await send(text); } catch (error) { input.value = text; form.classList.add("is-refused"); setTimeout(() => form.classList.remove("is-refused"), 1500); }
    input.focus();
  });
  column.addEventListener("click", (event) => {
    const button = event.target.closest("[data-customer]");
    if (button) choose(button.dataset.customer);
    const idea = event.target.closest("[data-idea]");
    if (idea) { input.value = idea.dataset.idea; input.focus(); }
  });
  column.querySelector("[data-new-customer]").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = event.target.elements.name;
    const name = field.value.trim();
    if (!name) return;
    const known = customers().find((button) => button.dataset.customer === name);
    if (!known) {
      const button = customers()[0].cloneNode(true);
      button.dataset.customer = button.title = button.ariaLabel = name;
      const [avatar, label] = button.children;
      avatar.className = "avatar avatar-rounded bg-azure-lt";
      avatar.textContent = name[0].toUpperCase();
      label.textContent = name.split(" ")[0];
      event.target.closest("details").before(button);
    }
    field.value = "";
    event.target.closest("details").open = false;
    choose(name);
  });

  document.addEventListener("atende:phone", refresh);
  new MutationObserver(() => { if (follow && openInInbox()) follow = false; })
    .observe(document.getElementById("list"), { childList: true, subtree: true });
  setInterval(() => { if (document.visibilityState === "visible") refresh(); }, 4000);
  for (const button of customers()) button.setAttribute("aria-checked", String(button.dataset.customer === customer));
  refresh();
})();
