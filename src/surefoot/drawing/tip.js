"use strict";
(() => {
  // One tooltip for everything that carries data-tip; it follows pointer and keyboard.
  const tip = document.getElementById("tip");
  const show = (target) => {
    tip.textContent = target.getAttribute("data-tip");
    tip.hidden = false;
    const at = target.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - own.width / 2), innerWidth - own.width - 8);
    const above = at.top - own.height - 8;
    tip.style.setProperty("left", `${left + scrollX}px`);
    tip.style.setProperty("top", `${(above > 4 ? above : at.bottom + 8) + scrollY}px`);
  };
  const hide = () => { tip.hidden = true; };
  for (const [begin, end] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
    document.addEventListener(begin, (e) => {
      const target = e.target.closest?.("[data-tip]");
      if (target) show(target);
    });
    document.addEventListener(end, hide);
  }
  document.addEventListener("keydown", (e) => { if (e.key === "Escape") hide(); });
})();
