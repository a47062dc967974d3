"use strict";
(() => {
  // Looks through the index that lies beside the pages; every word must begin a word of the entry.
  const query = new URLSearchParams(location.search).get("q") ?? "";
  const box = document.getElementById("q"), found = document.getElementById("found"), hits = document.getElementById("hits");
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const index = (window.surefootIndex ?? []).map(([kind, title, more, href]) => ({
    kind, title, more, href, words: plain(`${title} ${more}`).split(/[^\p{L}\p{N}]+/u), head: plain(title),
  }));
  const look = (text) => {
    const words = plain(text).split(/[^\p{L}\p{N}]+/u).filter(Boolean).slice(0, 12);
    hits.replaceChildren();
    found.textContent = "";
    if (!words.length) return;
    const score = (e) => words.reduce((sum, w) => sum + (e.head.includes(w) ? 2 : 1), 0) - e.head.length / 1000;
    const list = index.filter((e) => words.every((w) => e.words.some((own) => own.startsWith(w))))
      .sort((a, b) => score(b) - score(a));
    found.textContent = `${list.length} ${list.length === 1 ? "hit" : "hits"}${list.length > 60 ? ", the first 60" : ""}`;
    const groups = new Map();
    for (const e of list.slice(0, 60)) groups.set(e.kind, [...(groups.get(e.kind) ?? []), e]);
    for (const [kind, some] of groups) {
      const section = document.createElement("section"), head = document.createElement("h2"), ul = document.createElement("ul");
      section.className = "tight";
      head.textContent = kind;
      ul.className = "plainlist";
      for (const e of some) {
        const li = document.createElement("li"), a = document.createElement("a"), small = document.createElement("small");
        a.href = e.href;
        a.textContent = e.title;
        small.textContent = e.more;
        li.append(a, small);
        ul.append(li);
      }
      section.append(head, ul);
      hits.append(section);
    }
  };
  box.value = query;
  box.addEventListener("input", () => look(box.value));
  look(query);
})();
