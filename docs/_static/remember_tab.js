/* Show the same tab on every page: sync, asyncio or trio. */
document.addEventListener("DOMContentLoaded", () => {
  const labels = [...document.querySelectorAll(".tab-label")];
  const chosen = localStorage.getItem("tab");
  for (const label of labels) {
    if (label.textContent === chosen) label.previousElementSibling.checked = true;
    label.addEventListener("click", () => localStorage.setItem("tab", label.textContent));
  }
});
