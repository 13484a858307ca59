// The sign-up proposes the zone of this very browser.
(() => {
  const zones = document.querySelector("[data-guess-zone]");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zones && !document.querySelector(".alert-danger") && [...zones.options].some((one) => one.value === here)) zones.value = here;
})();
