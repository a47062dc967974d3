"use strict";
(() => {
  // Tables sort by a click on a head: down, up, then as they were.
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0], home = [...body.rows];
    for (const button of table.querySelectorAll("th button")) {
      button.addEventListener("click", () => {
        const head = button.closest("th"), was = head.getAttribute("aria-sort");
        const way = was === "none" ? "descending" : was === "descending" ? "ascending" : "none";
        for (const th of table.querySelectorAll("th[aria-sort]")) th.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", way);
        const column = Number(button.dataset.column);
        const key = (row) => Number(row.cells[column].dataset.sort);
        const sign = way === "descending" ? -1 : 1;
        const rows = way === "none" ? home : [...home].sort((a, b) =>
          (key(a) < 0) - (key(b) < 0) || sign * (key(a) - key(b)));
        table.classList.toggle("sorted", way !== "none" && column > 0);
        body.append(...rows);
      });
    }
  }

  // The slider walks a mark along every path.
  const slider = document.getElementById("alpha");
  if (!slider) return;
  slider.closest(".slider").hidden = false;
  const marks = [...document.querySelectorAll(".follow")].map((node) => ({
    node, spots: node.dataset.spots.split(";").map((s) => s.split(",").map(Number)),
  }));
  const at = (spots, alpha) => {
    let i = 0;
    while (i < spots.length - 2 && spots[i + 1][0] < alpha) i += 1;
    const [a, b] = [spots[i], spots[i + 1]], t = Math.min(Math.max((alpha - a[0]) / (b[0] - a[0]), 0), 1);
    return a.map((v, k) => v + t * (b[k] - v));
  };
  const list = document.getElementById("alpha-list"), lines = new Map();
  for (const { node } of marks) {
    if (lines.has(node.dataset.name)) continue;
    const item = document.createElement("li"), name = document.createElement("span"), value = document.createElement("b");
    item.className = [...node.classList].find((c) => /^h\d$/.test(c));
    name.textContent = node.dataset.name;
    item.append(name, value);
    list.append(item);
    lines.set(node.dataset.name, value);
  }
  let moved = false;
  const move = () => {
    const alpha = Number(slider.value);
    document.getElementById("alpha-out").textContent = alpha.toFixed(2);
    for (const { node, spots } of marks) {
      const spot = at(spots, alpha);
      node.setAttribute("cx", spot[1]);
      node.setAttribute("cy", spot[2]);
      if (moved) node.classList.add("on");
      lines.get(node.dataset.name).textContent = `ID ${spot[3].toFixed(1)} · shift ${spot[4].toFixed(1)}`;
    }
  };
  slider.addEventListener("input", () => { moved = true; move(); });
  move();
})();
