// The list: its lines stay in order while things happen, and however far one scrolls, only some hundreds are on the page.
(() => {
  const atende = (window.atende ??= {});
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const MOST_LINES = 240;
  const PAGE_AHEAD = 600;
  const MARK_EVERY = 40, FAR_LINES = 80;
  const body = one("#list-body");
  if (!body) return;

  const items = () => one("[data-items]", body);
  const scroller = () => one("[data-scroller]", body);
  const query = () => items()?.dataset.query ?? "";
  const base = () => one('input[name="base"]', body)?.value ?? "/inbox";
  const picked = new Set();
  let edges = { newer: null, older: null };
  let changed = new Set();
  let loading = false;
  let marks = []; // [lines above it, its place]: of lines that were dropped above, so that a far jump back needs one page

  // --- Pages: loaded at either end, dropped at the other -----------------------------------------------------------
  function readEdges() {
    edges = { newer: null, older: null };
    marks = [];
    takeEdge(items());
  }
  function takeEdge(root) {
    for (const mark of all("template[data-older], template[data-newer]", root ?? document.createElement("div"))) {
      if (mark.dataset.older !== undefined) edges.older = mark.dataset.older || null;
      if (mark.dataset.newer !== undefined) edges.newer = mark.dataset.newer || null;
      mark.remove();
    }
  }
  const placeOf = (line) => `${line.dataset.key}~${line.dataset.row}`;
  const height = () => one(".row-item", items())?.offsetHeight || 76;

  async function fetched(path, parameters) {
    const answer = await fetch(`${path}?${query()}&base=${base()}&${new URLSearchParams(parameters)}`, { headers: { "HX-Request": "true" } });
    if (!answer.ok || answer.redirected) throw new Error(`the list answered ${answer.status}`);
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    return holder.content;
  }

  async function load(direction) {
    const list = items();
    if (loading || !list || !edges[direction === "older" ? "older" : "newer"]) return;
    loading = true;
    try {
      const older = direction === "older";
      const asked = query();
      const part = await fetched("/inbox/list", older ? { after: edges.older } : { before: edges.newer });
      if (asked !== query()) return;
      edges[older ? "older" : "newer"] = null;
      takeEdge(part);
      const known = new Set(all("[data-row]", list).map((line) => line.dataset.row));
      const fresh = all("[data-row]", part).filter((line) => !known.has(line.dataset.row));
      fresh.forEach(dress);
      if (older) list.append(...fresh);
      else steady(one("[data-row]", list), -fresh.length, () => list.prepend(...fresh));
      htmx.process(list);
      trim(older ? "top" : "bottom");
      loading = false;
      requestAnimationFrame(scrolled); // whoever jumped here looks at a gap until the pages up to here are in
    } catch { /* the next scroll or the next event tries again */ } finally { loading = false; }
  }
  const space = () => one("[data-above]", body);
  const linesAbove = () => Number(space()?.dataset.count ?? 0);
  const lineAbove = () => (linesAbove() ? space().offsetHeight / linesAbove() : height());
  function setAbove(lines, pixels) {
    space().dataset.count = String(lines);
    space().style.height = `${pixels}px`;
  }
  /** Lines come or go above one that stays: it does not move. What is gone is a space as high as it was. */
  function steady(line, lines, change) {
    const top = () => line.getBoundingClientRect().top;
    const stood = top(), pixels = space().getBoundingClientRect().height;
    change();
    const count = edges.newer === null ? 0 : Math.max(0, linesAbove() + lines);
    setAbove(count, count ? Math.max(0, pixels - (top() - stood)) : 0);
    if (Math.abs(top() - stood) > 0.1) scroller().scrollTop += top() - stood;
  }
  function trim(end) {
    const list = items();
    const lines = all("[data-row]", list);
    const excess = lines.length - MOST_LINES;
    if (excess <= 0 || list.dataset.searched === "true") return;
    const dropped = end === "top" ? lines.slice(0, excess) : lines.slice(-excess);
    // The keyboard stays with the list, whose lines somebody has scrolled far away from.
    if (dropped.some((line) => line.contains(document.activeElement))) scroller().focus({ preventScroll: true });
    if (end === "top") {
      const above = linesAbove();
      dropped.forEach((line, place) => { if ((above + place + 1) % MARK_EVERY === 0) mark(above + place + 1, placeOf(line)); });
    }
    const drop = () => dropped.forEach((line) => line.remove());
    if (end === "top") {
      edges.newer = placeOf(lines[excess]);
      steady(lines[excess], excess, drop);
    } else { drop(); edges.older = placeOf(lines.at(-excess - 1)); }
  }
  function mark(count, place) {
    while (marks.length && marks.at(-1)[0] >= count) marks.pop();
    marks.push([count, place]);
  }
  /** Whoever went far up at once sees the lines there, without those in between. */
  async function jump(lines) {
    const [count, place] = marks.findLast(([above]) => above <= lines) ?? [];
    const list = items(), asked = query();
    if (loading || !place) return;
    loading = true;
    try {
      const part = await fetched("/inbox/list", { after: place });
      if (asked !== query()) return;
      const fresh = all("[data-row]", part);
      if (!fresh.length) return;
      if (list.contains(document.activeElement)) scroller().focus({ preventScroll: true });
      edges.older = null;
      takeEdge(part);
      fresh.forEach(dress);
      list.replaceChildren(...fresh);
      edges.newer = placeOf(fresh[0]);
      setAbove(count, count * lineAbove());
      htmx.process(list);
      loading = false;
      requestAnimationFrame(scrolled);
    } catch { /* the next scroll tries again */ } finally { loading = false; }
  }
  function scrolled() {
    const box = scroller();
    if (!box) return;
    const above = Number(one("[data-above]", body)?.offsetHeight ?? 0);
    if (box.scrollTop < 4 && above > 2 * box.clientHeight) { atende.list.reload(); return; } // back at the very top
    const gap = above - box.scrollTop - box.clientHeight;
    if (gap > FAR_LINES * height()) { jump(Math.floor(box.scrollTop / lineAbove())); return; }
    if (box.scrollHeight - box.scrollTop - box.clientHeight < PAGE_AHEAD) load("older");
    if (above && box.scrollTop < above + PAGE_AHEAD) load("newer");
  }
  body.addEventListener("scroll", scrolled, { capture: true, passive: true });

  // --- Changes: only the lines concerned are asked for, and each goes where it now belongs ---------------------------
  atende.list = {
    changed(id) { if (id) changed.add(id); refresh(); },
    reload() { htmx.trigger("#list-form", "submit"); },
    picked: () => [...picked],
    isLoading: () => loading,
    move, open,
  };
  const refresh = atende.paced(() => update());
  async function update() {
    const list = items();
    if (!list) return;
    const ids = [...changed].slice(0, 100);
    if (changed.size > 100) { changed.clear(); atende.list.reload(); return; }
    changed = new Set();
    const asked = query();
    let part;
    try { part = await fetched("/inbox/rows", { ids: ids.join(",") }); } catch { ids.forEach((id) => changed.add(id)); return; }
    if (asked !== query()) return;
    const queues = one("#queues", part);
    if (queues) { one("#queues", body).replaceWith(queues); htmx.process(queues); }
    const fresh = new Map(all("[data-row]", part).map((line) => [line.dataset.row, line]));
    const box = scroller();
    const anchor = anchorLine(box);
    const focus = document.activeElement?.closest?.("[data-row]")?.dataset.row;
    const inLink = document.activeElement?.matches?.("[data-open]");
    const searched = list.dataset.searched === "true";
    for (const id of ids) {
      const old = one(`#row-${id}`, list);
      const line = fresh.get(id);
      if (searched) { if (old && line) { old.replaceWith(line); dress(line); } continue; }
      old?.remove();
      if (line) place(line);
    }
    if (fresh.size) { one("[data-empty]", body)?.remove(); list.setAttribute("role", "list"); htmx.process(list); }
    if (anchor) box.scrollTop += anchor.line.isConnected ? anchor.line.offsetTop - anchor.top : 0;
    if (focus && ids.includes(focus)) one(`#row-${focus} ${inLink ? "[data-open]" : "[data-pick]"}`, list)?.focus({ preventScroll: true });
    trim(box.scrollTop > (linesAbove() ? space().offsetHeight : 0) + list.offsetHeight / 2 ? "top" : "bottom");
    if (changed.size) refresh();
  }
  function anchorLine(box) {
    if (!box || box.scrollTop < 8) return null;
    const line = all("[data-row]", box).find((one_) => one_.offsetTop + one_.offsetHeight > box.scrollTop);
    return line ? { line, top: line.offsetTop } : null;
  }
  function place(line) {
    const list = items();
    const order = Number(line.dataset.order);
    const next = all("[data-row]", list).find((other) => Number(other.dataset.order) < order || (Number(other.dataset.order) === order && other.dataset.row < line.dataset.row));
    if (!next && edges.older) return; // it belongs to a page that is not loaded
    if (next && next === one("[data-row]", list) && edges.newer) return;
    if (next) next.before(line); else list.append(line);
    dress(line);
  }
  function dress(line) {
    const current = one("[data-conversation]")?.dataset.conversation;
    if (line.dataset.row === current) line.setAttribute("aria-current", "true"); else line.removeAttribute("aria-current");
    const pick = one("[data-pick]", line);
    if (pick) pick.checked = picked.has(line.dataset.row);
  }

  // --- Waiting times go on by themselves ----------------------------------------------------------------------------
  function elapsed(since) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(since)) / 1000));
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
    return `${seconds} s`;
  }
  setInterval(() => {
    for (const pill of all("[data-since]")) {
      const shown = one("[data-elapsed]", pill);
      const text = elapsed(pill.dataset.since);
      if (shown.textContent !== text) shown.textContent = text;
      if (!pill.dataset.due) continue;
      const since = Date.parse(pill.dataset.since), due = Date.parse(pill.dataset.due), now = Date.now();
      const colour = now >= due ? "late" : now - since >= (due - since) * 0.75 ? "soon" : "ok";
      if (!pill.classList.contains(`wait-${colour}`)) { pill.classList.remove("wait-ok", "wait-soon", "wait-late"); pill.classList.add(`wait-${colour}`); }
    }
  }, 5000);

  // --- Several at once -------------------------------------------------------------------------------------------------
  const bar = one("#bulk");
  let lastPicked = null;
  function showBar() {
    bar.hidden = !picked.size;
    one("[data-picked]", bar).textContent = String(picked.size);
    one("[data-picked-ids]", bar).value = [...picked].join(",");
    document.body.classList.toggle("is-picking", picked.size > 0);
  }
  function pick(line, on) {
    if (on) picked.add(line.dataset.row); else picked.delete(line.dataset.row);
    const box = one("[data-pick]", line);
    if (box) box.checked = on;
  }
  body.addEventListener("click", (event) => {
    const box = event.target.closest("[data-pick]");
    if (!box) return;
    const line = box.closest("[data-row]");
    const lines = all("[data-row]", items());
    if (event.shiftKey && lastPicked && lines.includes(lastPicked)) {
      const [from, to] = [lines.indexOf(lastPicked), lines.indexOf(line)].sort((a, b) => a - b);
      for (const between of lines.slice(from, to + 1)) pick(between, box.checked);
    } else pick(line, box.checked);
    lastPicked = line;
    showBar();
  });
  function unpick() {
    picked.clear();
    for (const box of all("[data-pick]", body)) box.checked = false;
    showBar();
  }
  one("[data-unpick]")?.addEventListener("click", unpick);
  document.body.addEventListener("atende:bulk-done", unpick);

  // --- Moving about -----------------------------------------------------------------------------------------------------
  function move(step) {
    const lines = all("[data-row]", items() ?? body);
    if (!lines.length) return;
    const current = document.activeElement?.closest?.("[data-row]") ?? one('[data-row][aria-current="true"]', body);
    const at = current ? lines.indexOf(current) + step : step > 0 ? 0 : lines.length - 1;
    const line = lines[Math.max(0, Math.min(lines.length - 1, at))];
    line.scrollIntoView({ block: "nearest" });
    one("[data-open]", line).focus({ preventScroll: true });
  }
  function open(step) {
    const lines = all("[data-row]", items() ?? body);
    const at = lines.findIndex((line) => line.getAttribute("aria-current") === "true");
    const line = lines[at < 0 ? 0 : at + step];
    if (line) { line.scrollIntoView({ block: "nearest" }); one("[data-open]", line).click(); }
  }

  // --- Around the requests -----------------------------------------------------------------------------------------------
  document.body.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.elt.id !== "list-form" && !detail.elt.matches?.("[data-view]")) return;
    const open_ = one("[data-conversation]")?.dataset.conversation;
    if (open_) detail.parameters.selected = open_;
    if (detail.elt.matches("[data-view]")) {
      const { elements } = one("#list-form");
      elements.q.value = "";
      for (const field of elements) if (field.matches("select")) field.value = ""; else if (field.type === "checkbox") field.checked = false;
    }
  });
  document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target?.id !== "list-body") return;
    readEdges();
    all("[data-row]", body).forEach(dress);
    const open_ = one("[data-conversation]")?.dataset.conversation;
    history.replaceState(history.state, "", `${base()}${open_ ? `/${open_}` : ""}?${query()}`);
    document.body.classList.toggle("is-searching", items()?.dataset.searched === "true");
    changed.clear();
  });
  readEdges();
  showBar();
})();
