"use strict";
document.getElementById("copy")?.addEventListener("click", async event => {
  const link = document.getElementById("link");
  link.select();
  try { await navigator.clipboard.writeText(link.value); event.target.textContent = "Copied"; } catch { /* selected: Ctrl+C */ }
});
