// Comfort for those who have JavaScript: keys. Every page works without it.
"use strict";
(() => {
  const typing = (element) =>
    element instanceof HTMLElement &&
    (element.matches("input:not([type=checkbox]), select, textarea") || element.isContentEditable);
  const rows = () => [...document.querySelectorAll("[data-list] tbody tr")];
  let at = -1;
  const move = (by) => {
    const all = rows();
    if (!all.length) return;
    at = Math.max(0, Math.min(all.length - 1, at + by));
    all.forEach((row, number) => row.classList.toggle("here", number === at));
    all[at].scrollIntoView({ block: "nearest" });
    (all[at].querySelector("a[data-open]") || all[at].querySelector("input, a"))?.focus({ preventScroll: true });
  };
  const sendOnce = (form) => {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "1";
    });
  };
  document.querySelectorAll("form[method=post]").forEach(sendOnce);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("form").forEach((form) => delete form.dataset.sent);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const reason = document.querySelector("[data-reason]");
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      // In the reason, Enter must not choose the first answer by chance.
      if (event.key === "Enter" && event.target === reason && event.target.form.querySelectorAll("button").length > 1) {
        event.preventDefault();
        event.target.blur();
      }
      return;
    }
    const named = [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === event.key);
    if (named) {
      event.preventDefault();
      if (named instanceof HTMLButtonElement && named.form && !named.form.reportValidity()) return;
      named.click();
    } else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "x") {
      const box = rows()[at]?.querySelector("input[type=checkbox]");
      if (box) box.checked = !box.checked;
    } else if (event.key === "o") rows()[at]?.querySelector("a[data-open]")?.click();
    else if (event.key === "w" && reason) {
      event.preventDefault();
      reason.focus();
      reason.select();
    } else if (event.key === "?") location.assign("/help");
  });
})();
