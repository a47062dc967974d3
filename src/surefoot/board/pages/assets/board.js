"use strict";
(() => {
  // What is newest or best lies to the right of a chart that is wider than the screen.
  for (const box of document.querySelectorAll(".pan")) box.scrollLeft = box.scrollWidth;

  // A table that the page holds whole, or whose rows lie in a file beside it (data-rows): sorted
  // and filtered here. The live server sorts and filters by links and forms instead.
  const table = document.getElementById("results");
  const heads = table ? [...table.querySelectorAll("th[data-sort]")].filter((th) => !th.querySelector("a")) : [];
  if (!heads.length) return;
  const body = table.tBodies[0], size = Number(table.dataset.size);
  const filters = document.querySelector("form[data-filters]"), told = document.getElementById("told");
  const written = document.querySelector(".pager");
  const spelling = new Intl.Collator("en").compare;
  let whole = !table.dataset.rows, page = 1;
  const state = { by: "", down: false };

  // A row: what it is sorted and filtered by, and how to come by its element.
  const ofElement = (tr) => {
    const words = () => [...tr.querySelectorAll("th, .paper, .kind")].map((c) => c.textContent).join(" ").toLowerCase();
    const keys = Object.fromEntries(heads.map((th) => {
      const raw = tr.cells[th.cellIndex].dataset.key;
      return [th.dataset.sort, raw === "" ? null : Number.isNaN(Number(raw)) ? raw : Number(raw)];
    }));
    return { keys, kind: tr.dataset.kind, extra: tr.dataset.extra, method: tr.dataset.method,
      code: tr.dataset.code === "1", get words() { return words(); }, element: tr };
  };
  let rows = [...body.rows].map(ofElement);

  const load = (then) => {
    if (whole) { then(); return; }
    window.surefootRows = ([names, some]) => {
      rows = some.map(([keys, kind, extra, method, code, words, html]) => ({
        keys: Object.fromEntries(names.map((n, i) => [n, keys[i]])),
        kind, extra, method, code: code === 1, words, html, element: null,
      }));
      whole = true;
      written?.remove();
      then();
    };
    const script = document.createElement("script");
    script.src = table.dataset.rows;
    document.head.append(script);
  };
  const elements = (some) => {
    const missing = some.filter((r) => !r.element), holder = document.createElement("template");
    holder.innerHTML = `<table><tbody>${missing.map((r) => r.html).join("")}</tbody></table>`;
    [...holder.content.querySelectorAll("tr")].forEach((tr, i) => { missing[i].element = tr; });
    return some.map((r) => r.element);
  };

  const compare = (a, b) => {
    const x = a.keys[state.by], y = b.keys[state.by];
    if (x === null || y === null) return (x === null) - (y === null);
    const order = typeof x === "number" && typeof y === "number" ? x - y : spelling(String(x), String(y));
    return state.down ? -order : order;
  };
  const wanted = () => {
    if (!filters) return () => true;
    const form = new FormData(filters), get = (name) => String(form.get(name) ?? "");
    const words = get("q").toLowerCase().split(/\s+/).filter(Boolean);
    return (row) => (!get("kind") || row.kind === get("kind"))
      && (!get("extra") || row.extra === get("extra"))
      && (!get("method") || row.method === get("method"))
      && (!get("code") || row.code)
      && words.every((w) => row.words.includes(w));
  };
  const pager = document.createElement("nav");
  pager.className = "pager";
  pager.setAttribute("aria-label", "Pages");
  pager.hidden = true;
  table.closest(".scroll").after(pager);

  const draw = () => {
    const kept = rows.filter(wanted());
    if (state.by) kept.sort(compare);
    const pages = Math.max(1, Math.ceil(kept.length / size));
    page = Math.min(page, pages);
    body.replaceChildren(...elements(kept.slice((page - 1) * size, page * size)));
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
    const by = th.dataset.sort, big = ["value", "date", "x", "y"].includes(by) || /^m\d/.test(by);
    button.addEventListener("click", () => {
      const was = th.getAttribute("aria-sort"), again = state.by === by;
      state.down = again ? was === "ascending" : big;
      state.by = by;
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
