// Runs before the first paint: takes the theme this browser chose, or the system's.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("dss-theme") || "auto";
    } catch {
      return "auto"; // storage is forbidden: follow the system
    }
  };
  const apply = () => {
    const choice = chosen();
    const night = choice === "dark" || (choice === "auto" && dark.matches);
    document.documentElement.dataset.bsTheme = night ? "dark" : "light";
    document.documentElement.dataset.choice = choice;
  };
  dark.addEventListener("change", apply);
  addEventListener("dss:theme", apply);
  apply();
})();
