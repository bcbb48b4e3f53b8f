// Before the first paint, so that a chosen theme does not flash in the other one's colors.
try {
  const theme = localStorage.getItem("atelier-theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // storage is refused: the system's theme stays
}
