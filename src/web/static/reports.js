// Draws each figure's chart from the table beside it, in the colours of the theme.
(() => {
  const COLOURS = {
    opened: "blue", handed_off: "orange", automatic: "green", with_person: "azure", reopened: "red", unresolved: "orange",
    not_yet_known: "gray", accepted: "green", edited: "azure", rejected: "red", expired: "orange", median: "blue",
    p90: "orange", handoffs: "orange", suggested: "purple", cost: "purple", failed: "red", unknown: "orange",
    cancelled: "gray", share: "green", score_1: "red", score_2: "orange", score_3: "yellow", score_4: "lime",
    score_5: "green",
  };
  const language = document.documentElement.lang;
  // Tabler's colours are made of other variables: only the browser can say what they come to.
  const probe = document.querySelector("main").appendChild(document.createElement("span"));
  probe.hidden = true;
  function resolved(variable) {
    probe.style.color = `var(--tblr-${variable})`;
    return getComputedStyle(probe).color;
  }
  const colour = (name) => resolved(COLOURS[name] === "gray" ? "gray-400" : COLOURS[name] ?? "blue");
  const drawn = new Map();

  function spoken(value, unit) {
    if (unit === "share") return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 }).format(value);
    if (unit === "money") return new Intl.NumberFormat(language, { maximumFractionDigits: 4 }).format(value / 1e6);
    if (unit !== "seconds") return new Intl.NumberFormat(language, { maximumFractionDigits: 2 }).format(value);
    if (value < 60) return `${Math.round(value)} s`;
    if (value < 3600) return `${Math.round(value / 60)} min`;
    if (value < 86400) return `${(value / 3600).toFixed(1)} h`;
    return `${(value / 86400).toFixed(1)} d`;
  }

  function read(canvas) {
    const table = canvas.closest(".report").querySelector("table");
    const heads = [...table.querySelectorAll("thead th")];
    const rows = [...table.querySelectorAll("tbody tr")];
    const labels = rows.map((row) => row.cells[0].textContent.trim());
    const series = canvas.dataset.columns.split(" ").map((name) => {
      const place = heads.findIndex((head) => head.dataset.column === name);
      const values = rows.map((row) => row.cells[place].dataset.value);
      return { name, label: heads[place].textContent, values: values.map((value) => (value === undefined ? null : Number(value))) };
    });
    return { labels, series };
  }

  function draw(canvas) {
    drawn.get(canvas)?.destroy();
    const { chart: kind, unit } = canvas.dataset;
    const { labels, series } = read(canvas);
    const text = getComputedStyle(canvas.closest(".report").querySelector(".report-definition")).color;
    const lines = resolved("border-color");
    const stacked = kind === "stacked";
    const lying = canvas.dataset.by !== "day";
    if (lying) canvas.parentElement.style.height = `${Math.max(9, labels.length * 1.6 + 4)}rem`;
    const words = { ticks: { color: text, maxRotation: 0, autoSkip: !lying, autoSkipPadding: 14, font: { size: 11 }, callback(value) { const name = this.getLabelForValue(value); return name.length > 26 ? `${name.slice(0, 25)}…` : name; } }, grid: { display: false }, stacked };
    const amounts = { stacked, beginAtZero: true, max: unit === "share" ? 1 : undefined, grid: { color: lines }, border: { display: false }, ticks: { color: text, maxTicksLimit: 5, precision: unit === "count" ? 0 : undefined, font: { size: 11 }, callback: (value) => spoken(value, unit) } };
    drawn.set(canvas, new Chart(canvas, {
      type: kind === "line" && !lying ? "line" : "bar",
      data: {
        labels,
        datasets: series.map(({ name, label, values }) => ({
          label, data: values, backgroundColor: colour(name), borderColor: colour(name),
          borderWidth: kind === "line" ? 2 : 0, borderDash: name === "p90" ? [5, 4] : [], pointRadius: labels.length > 45 ? 0 : 2.5,
          spanGaps: true, tension: 0.25, maxBarThickness: 38, borderRadius: stacked ? 0 : 3,
        })),
      },
      options: {
        animation: false, indexAxis: lying ? "y" : "x", responsive: true, maintainAspectRatio: false, locale: language,
        interaction: { mode: "index", axis: lying ? "y" : "x", intersect: false },
        plugins: {
          legend: { display: series.length > 1, position: "bottom", labels: { color: text, boxWidth: 10, boxHeight: 10, font: { size: 11 } } },
          tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${spoken(item.raw ?? 0, unit)}` } },
        },
        scales: lying ? { x: amounts, y: words } : { x: words, y: amounts },
      },
    }));
    canvas.dataset.drawn = "";
  }
  function drawIn(root) {
    for (const [canvas, chart] of drawn) if (!canvas.isConnected) { chart.destroy(); drawn.delete(canvas); }
    for (const canvas of root.querySelectorAll("canvas[data-chart]")) draw(canvas);
  }
  document.body.addEventListener("htmx:afterSettle", ({ target }) => drawIn(target));
  new MutationObserver(() => drawIn(document)).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
})();
