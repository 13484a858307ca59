// Small manners of the pages about the assistant. Everything works without it, except the question before removing.
(() => {
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
  // A countdown to a moment: how long a code can still be used.
  function count() {
    for (const box of document.querySelectorAll("[data-until]")) {
      const left = Math.max(0, Math.round((new Date(box.dataset.until) - Date.now()) / 1000));
      box.textContent = box.dataset.words.replace("{}", left);
      box.classList.toggle("text-danger", left <= 10);
    }
  }
  // The try-out is asked for every second: it must not close what somebody reads, nor repeat itself to screen readers.
  let shown = "";
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.target?.id !== "try-chat" || detail.requestConfig.verb !== "get") return;
    if (detail.serverResponse === shown || document.querySelector("#try-chat details[open]")) detail.shouldSwap = false;
    else shown = detail.serverResponse;
  });
  document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.successful && detail.elt.matches("[data-clear-after]")) detail.elt.reset();
  });
  setInterval(count, 500);
  document.body.addEventListener("htmx:afterSettle", count);
  count();
})();
