// Runs before the page is drawn, so that nobody sees the wrong colours first.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => root.setAttribute("data-bs-theme", root.dataset.wantedTheme === "auto" ? (dark.matches ? "dark" : "light") : root.dataset.wantedTheme);
  apply();
  dark.addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    root.dataset.wantedTheme = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `atende_theme=${root.dataset.wantedTheme}; path=/; max-age=31536000; samesite=lax${secure}`;
    apply();
  });
})();
