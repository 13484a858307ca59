// Small manners of the administrators' pages: copying what is shown once, and fields that were refused.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    button.previousElementSibling.select(); // no clipboard without HTTPS: ready for the keyboard
    return;
  }
  button.classList.add("btn-success");
  setTimeout(() => button.classList.remove("btn-success"), 2000);
});
// What is shown once stays until the person leaves the page: no refresh takes it away.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id === "content" && document.querySelector("[data-shown-once]")) event.preventDefault();
});
// A form that outlives the refresh after it (hx-preserve) is empty again once it was taken.
document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && detail.elt.matches("form[data-clear-after]")) detail.elt.reset();
});
// On a phone the row of tabs is wider than the screen: the page that is open is never out of sight.
document.querySelector(".settings-tabs .active")?.scrollIntoView({ block: "nearest", inline: "center" });
