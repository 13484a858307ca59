// Eval reports: filters, and transcripts that are unpacked when a case is opened. Everything a customer or a model wrote
// goes into text nodes only. Runs in the app and, inlined, in the static file.
(() => {
  const report = document.getElementById("eval-report");
  if (!report) return;
  const words = JSON.parse(report.dataset.words);
  const bundles = Object.fromEntries([...report.querySelectorAll(".ev-bundle")].map((one) => [one.dataset.label, one.dataset.told]));
  const rows = [...report.querySelectorAll("[data-ev-rows] > tr")];
  const { candidate, baseline } = report.dataset;
  const beside = "beside" in report.dataset; // what happened and what a draft would do: nobody said which is right

  // --- Filters ------------------------------------------------------------------------------------------------------
  const form = report.querySelector("[data-ev-filters]");
  const count = report.querySelector("[data-ev-count]");
  function filter() {
    const wanted = Object.fromEntries(new FormData(form));
    const text = (wanted.text ?? "").trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const { s, t, l, r, f } = row.dataset;
      const fits = (!wanted.suite || s === wanted.suite) && (!wanted.language || l === wanted.language)
        && (!wanted.tag || t.split("\n").includes(wanted.tag)) && (!wanted.status || r.split(" ").includes(wanted.status))
        && (!wanted.flip || (wanted.flip === "any" ? f !== undefined : f === wanted.flip))
        && (!wanted.critical || "c" in row.dataset) && (!wanted.unknown || !("k" in row.dataset))
        && (!text || `${row.textContent} ${t}`.toLowerCase().includes(text));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} / ${count.dataset.of}`;
  }
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());

  // --- Packs of transcripts -----------------------------------------------------------------------------------------
  const size = Number(report.dataset.pack);
  const packs = new Map();
  async function bytes(number) {
    if (report.dataset.packsFrom) {
      const answer = await fetch(`${report.dataset.packsFrom}${number}`);
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      return answer.blob();
    }
    const text = document.getElementById(`ev-pack-${number}`).textContent.trim();
    return new Blob([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))]);
  }
  async function unpack(number) {
    const stream = (await bytes(number)).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }
  function pack(number) {
    if (!packs.has(number)) packs.set(number, unpack(number).catch((error) => { packs.delete(number); throw error; }));
    return packs.get(number);
  }

  // --- Elements -----------------------------------------------------------------------------------------------------
  function make(tag, classes, ...inside) {
    const made = document.createElement(tag);
    if (classes) made.className = classes;
    made.append(...inside.filter((one) => one !== null && one !== undefined));
    return made;
  }
  const texts = (value) => (Array.isArray(value) ? value : value === undefined || value === null || value === "" ? [] : [value])
    .map((one) => (typeof one === "string" ? one : one.text ?? JSON.stringify(one)));
  const json = (value) => JSON.stringify(value, null, 1);

  // Words that differ from the other side, by the longest common subsequence.
  function marked(text, other, tag) {
    if (other === undefined || other === text) return [text];
    const ours = text.split(/(\s+)/), theirs = other.split(/(\s+)/);
    if (ours.length * theirs.length > 400000) return [make(tag, "", text)];
    const lengths = Array.from({ length: ours.length + 1 }, () => new Uint16Array(theirs.length + 1));
    for (let i = ours.length - 1; i >= 0; i -= 1) {
      for (let j = theirs.length - 1; j >= 0; j -= 1) {
        lengths[i][j] = ours[i] === theirs[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
      }
    }
    const parts = [];
    const add = (word, differs) => {
      const last = parts[parts.length - 1];
      if (last && last.differs === differs) last.text += word; else parts.push({ text: word, differs });
    };
    for (let i = 0, j = 0; i < ours.length;) {
      if (j < theirs.length && ours[i] === theirs[j]) { add(ours[i], false); i += 1; j += 1; }
      else if (j < theirs.length && lengths[i][j + 1] >= lengths[i + 1][j]) j += 1;
      else { add(ours[i], true); i += 1; }
    }
    // Two texts that only share a few small words are no edit of each other: marks would hide what they say.
    const kept = parts.reduce((sum, part) => sum + (part.differs ? 0 : part.text.trim().length), 0);
    if (kept < 0.3 * Math.min(text.length, other.length)) return [text];
    return parts.map((part) => (part.differs ? make(tag, "", part.text) : part.text));
  }

  // --- One turn, in the terms of a trace ----------------------------------------------------------------------------
  function facts(turn) {
    const decision = turn?.decision ?? {}, trace = turn?.trace ?? {};
    const kind = typeof decision === "string" ? decision : decision.kind ?? "";
    const calls = [...(trace.tool_calls ?? [])].map((call) => `${call.function}(${Object.entries(call.arguments ?? {}).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ")}) ${call.outcome ?? ""}`);
    if (decision.function && !calls.length) calls.push(decision.function);
    const sure = trace.confidence ?? turn?.confidence;
    return {
      [words.decision]: [kind, decision.reason].filter(Boolean).join(" · "),
      [words.intent]: [trace.intent ?? turn?.intent, typeof sure === "number" ? `${Math.round(sure * 100)} %` : ""].filter(Boolean).join(" · "),
      [words.functions]: calls.join("\n"),
      [words.reasons]: (decision.reasons ?? []).map((one) => (typeof one === "string" ? one : [one.code, one.detail].filter(Boolean).join(": "))).join("\n"),
    };
  }
  const replyOf = (turn) => turn?.decision?.text ?? turn?.text ?? "";
  const turnsOf = (step) => (Array.isArray(step?.turns) ? step.turns : step?.decision ? [step] : []);
  const saidIn = (step) => texts(step.say ?? step.said ?? step.customer ?? step.message);

  function turnElements(turn, other, tag) {
    const reply = replyOf(turn);
    const list = make("dl", "ev-turn");
    const theirs = other ? facts(other) : null;
    for (const [name, value] of Object.entries(facts(turn))) {
      if (!value) continue;
      list.append(make("dt", "", name), make("dd", theirs && theirs[name] !== value ? "ev-differs" : "", value));
    }
    const found = [list];
    if (reply) found.unshift(make("div", "ev-said ev-agent", ...marked(reply, other ? replyOf(other) : undefined, tag)));
    if (turn.trace && typeof turn.trace === "object") {
      found.push(make("details", "", make("summary", "", words.trace), make("pre", "", json(turn.trace))));
    }
    return found;
  }

  function stepElements(step, other, tag) {
    const found = saidIn(step).map((text) => make("div", "ev-said ev-customer", make("small", "", words.customer), text));
    if (step.operator) found.push(make("p", "ev-quiet", `${words.operator}: ${typeof step.operator === "string" ? step.operator : json(step.operator)}`));
    const turns = turnsOf(step), others = turnsOf(other);
    turns.forEach((turn, place) => found.push(...turnElements(turn, other ? others[place] ?? {} : undefined, tag)));
    const replies = new Set(turns.map(replyOf));
    for (const text of texts(step.received)) {
      if (!replies.has(text)) found.push(make("div", "ev-said ev-agent", make("small", "", words.received), text));
    }
    return found;
  }

  function side(label, result, other, tag, tone) {
    const made = make("section", `ev-side ev-tone-${tone}`);
    made.append(make("h3", "", make("i", "ev-key"), label, make("span", "ev-quiet", bundles[label] ? ` ${bundles[label]}` : "")));
    if (!result) { made.append(make("p", "ev-quiet", words.none)); return made; }
    const money = result.cost_micros ? ` · ${words.cost} ${(result.cost_micros / 1e6).toPrecision(3)}` : "";
    made.append(make("p", "ev-quiet", `${beside && label === baseline ? "" : `${words[result.status] ?? result.status} · `}${words[result.origin] ?? result.origin} · ${words.latency} ${Math.round(result.latency_ms)} ms · ${words.model} ${result.model_calls}${money}`));
    if (result.error) made.append(make("p", "ev-error", result.error));
    const checks = make("ul", "ev-checks");
    for (const check of [...result.checks].sort((one, two) => Number(one.passed) - Number(two.passed))) {
      const told = check.passed ? check.name : `${check.name}: ${beside ? words.then : words.expected} ${check.expected || "–"}, ${beside ? words.draft : words.got} ${check.got || "–"}`;
      const step = check.step ? ` (${words.step} ${check.step})` : "";
      const marks = beside ? ["=", "≠"] : ["✓", "✗"];
      checks.append(make("li", check.passed ? "ev-yes" : beside ? "" : "ev-no", make("span", "", marks[Number(!check.passed)]), make("span", "", told + step)));
    }
    for (const [name, value] of Object.entries(result.scores)) checks.append(make("li", "", make("span", "", "≈"), make("span", "", `${name}: ${Number(value).toFixed(2)}`)));
    if (checks.children.length) made.append(checks);
    result.steps.forEach((step, place) => made.append(...stepElements(step, other?.steps?.[place] ?? (other ? {} : undefined), tag)));
    return made;
  }

  // --- The dialog -----------------------------------------------------------------------------------------------------
  const dialog = report.querySelector("#ev-case");
  const box = report.querySelector("[data-ev-transcript]");
  const visible = () => rows.filter((row) => !row.hidden);
  const nameOf = (row) => `${row.dataset.s}/${row.querySelector("button").textContent}`;
  let shown = -1;
  // To the next case that the filters leave, so that failures are read one after the other.
  function step(by) {
    const left = visible(), at = left.indexOf(rows[shown]);
    const next = at < 0 ? left[0] : left[at + by];
    if (next) open(rows.indexOf(next));
  }
  async function open(place) {
    const row = rows[place], left = visible();
    shown = place;
    report.querySelector("#ev-case-name").textContent = `${row.querySelector("button").textContent} ${row.dataset.s}`;
    report.querySelector("[data-ev-place]").textContent = `${left.indexOf(row) + 1} / ${left.length}`;
    for (const button of report.querySelectorAll("[data-ev-step]")) {
      button.disabled = !left[left.indexOf(row) + Number(button.dataset.evStep)];
    }
    history.replaceState(history.state, "", `#case=${encodeURIComponent(nameOf(row))}`);
    box.replaceChildren();
    if (!dialog.open) dialog.showModal();
    box.focus();
    let transcripts;
    try {
      transcripts = (await pack(Math.floor(place / size)))[place % size];
    } catch (error) {
      box.replaceChildren(make("p", "ev-error", `${words.away} ${error.message}`));
      return;
    }
    if (shown !== place) return; // another one was opened meanwhile
    const labels = Object.keys(transcripts);
    const epochs = [...new Set(labels.flatMap((label) => transcripts[label].map((one) => one.epoch)))].sort((a, b) => a - b);
    const source = labels.flatMap((label) => transcripts[label]).find((one) => one.source)?.source;
    box.replaceChildren();
    dialog.scrollTop = 0;
    if (source) box.append(make("p", "ev-quiet", `${words.source} `, make("code", "", source)));
    for (const epoch of epochs) {
      const of = (label) => transcripts[label]?.find((one) => one.epoch === epoch);
      const came = labels.map((label) => of(label)?.status).filter(Boolean);
      let into = box;
      if (epochs.length > 1) { // of many epochs those that went well everywhere are folded
        const told = [...labels].reverse().filter(of).map((label) => `${label} ${words[of(label).status]}`).join(" · ");
        into = make("details", "ev-epoch", make("summary", "", `${words.epoch} ${epoch} `, make("span", "ev-quiet", told)));
        into.open = came.some((one) => one !== "passed");
        box.append(into);
      }
      const both = baseline && of(candidate) && of(baseline);
      if (both && json(of(candidate).steps.map(turnsOf).map((turns) => turns.map((one) => [facts(one), replyOf(one)]))) === json(of(baseline).steps.map(turnsOf).map((turns) => turns.map((one) => [facts(one), replyOf(one)])))) {
        into.append(make("p", "ev-quiet", words.same));
      }
      into.append(make("div", "ev-sides", ...[...labels].reverse().map((label) => {
        const other = both ? (label === candidate ? of(baseline) : label === baseline ? of(candidate) : undefined) : undefined;
        return side(label, of(label), other, label === baseline ? "del" : "ins", label === candidate ? "a" : label === baseline ? "b" : "c");
      })));
    }
  }
  report.querySelector("[data-ev-rows]").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) open(rows.indexOf(button.closest("tr")));
  });
  report.querySelector("[data-ev-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    history.replaceState(history.state, "", location.pathname + location.search);
    rows[shown]?.querySelector("button").focus();
  });
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("[data-ev-step]");
    if (button) step(Number(button.dataset.evStep));
    else if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("pre, input, textarea")) return;
    event.preventDefault();
    step(by);
  });
  // An address that names a case opens it: it can be sent to a colleague.
  const wanted = /^#case=(.+)$/.exec(location.hash);
  if (wanted) {
    const place = rows.findIndex((row) => nameOf(row) === decodeURIComponent(wanted[1]));
    if (place >= 0) open(place);
  }
})();
