const root = document.documentElement;
root.classList.add("scripted");
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);

// Browsers may refuse storage to a file; the page then follows the system each time.
const remember = (theme) => { try { localStorage.setItem("tintype-theme", theme); } catch {} };
const remembered = () => { try { return localStorage.getItem("tintype-theme"); } catch { return null; } };
const theme = remembered();
if (theme === "light" || theme === "dark") root.dataset.theme = theme;

const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

function switchTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  remember(root.dataset.theme);
}
