"use strict";
(() => {
  // A table that the page holds whole, or whose rows lie in a file beside it (data-rows): sorted
  // and filtered here. The live server sorts and filters by links and forms instead.
  const table = document.getElementById("results");
  const heads = table ? [...table.querySelectorAll("th[data-sort]")].filter((th) => !th.querySelector("a")) : [];
  if (!heads.length) return;
  const body = table.tBodies[0], size = Number(table.dataset.size);
  const filters = document.querySelector("form[data-filters]"), told = document.getElementById("told");
  const written = document.querySelector(".pager");
  let rows = [...body.rows], whole = !table.dataset.rows, page = 1;
  const state = { column: -1, down: false };

  const load = (then) => {
    if (whole) { then(); return; }
    window.surefootRows = (texts) => {
      const holder = document.createElement("template");
      holder.innerHTML = `<table><tbody>${texts.join("")}</tbody></table>`;
      rows = [...holder.content.querySelectorAll("tr")];
      whole = true;
      written?.remove();
      then();
    };
    const script = document.createElement("script");
    script.src = table.dataset.rows;
    document.head.append(script);
  };

  const keyOf = (row) => {
    const raw = row.cells[state.column].dataset.key;
    return raw === "" ? null : Number.isNaN(Number(raw)) ? raw : Number(raw);
  };
  const compare = (a, b) => {
    const x = keyOf(a), y = keyOf(b);
    if (x === null || y === null) return (x === null) - (y === null);
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    return state.down ? -order : order;
  };
  const known = new WeakMap();
  const wordsOf = (row) => {
    if (!known.has(row)) {
      const cells = row.querySelectorAll("th, .paper, .kind");
      known.set(row, [...cells].map((c) => c.textContent).join(" ").toLowerCase());
    }
    return known.get(row);
  };
  const wanted = () => {
    if (!filters) return () => true;
    const form = new FormData(filters), get = (name) => String(form.get(name) ?? "");
    const words = get("q").toLowerCase().split(/\s+/).filter(Boolean);
    return (row) => (!get("kind") || row.dataset.kind === get("kind"))
      && (!get("extra") || row.dataset.extra === get("extra"))
      && (!get("method") || row.dataset.method === get("method"))
      && (!get("code") || row.dataset.code === "1")
      && words.every((w) => wordsOf(row).includes(w));
  };
  const pager = document.createElement("nav");
  pager.className = "pager";
  pager.setAttribute("aria-label", "Pages");
  pager.hidden = true;
  table.closest(".scroll").after(pager);

  const draw = () => {
    const kept = rows.filter(wanted());
    if (state.column >= 0) kept.sort(compare);
    const pages = Math.max(1, Math.ceil(kept.length / size));
    page = Math.min(page, pages);
    body.replaceChildren(...kept.slice((page - 1) * size, page * size));
    if (told) told.textContent = `${kept.length.toLocaleString("en")} of ${Number(table.dataset.all).toLocaleString("en")} rows`;
    pager.replaceChildren();
    pager.hidden = pages < 2;
    if (pager.hidden) return;
    const step = (words, by) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words;
      button.disabled = page + by < 1 || page + by > pages;
      button.addEventListener("click", () => { page += by; draw(); });
      return button;
    };
    const at = document.createElement("span");
    at.textContent = `Page ${page} of ${pages}`;
    pager.append(step("← Previous", -1), at, step("Next →", 1));
  };

  for (const th of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...th.childNodes);
    th.append(button);
    const big = ["value", "date", "x", "y"].includes(th.dataset.sort);
    button.addEventListener("click", () => {
      const was = th.getAttribute("aria-sort"), again = state.column === th.cellIndex;
      state.down = again ? was === "ascending" : big;
      state.column = th.cellIndex;
      for (const other of heads) other.setAttribute("aria-sort", "none");
      th.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      page = 1;
      load(draw);
    });
  }
  if (filters) {
    filters.hidden = false;
    filters.addEventListener("submit", (e) => e.preventDefault());
    filters.addEventListener("input", () => { page = 1; load(draw); });
    filters.addEventListener("reset", () => setTimeout(() => { page = 1; load(draw); }));
  }
})();
