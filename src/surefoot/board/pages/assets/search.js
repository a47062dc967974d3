"use strict";
(() => {
  // Looks through the board's index, which lies beside the pages, as the server does (store/search.py):
  // every word must be in the entry, the last may be a beginning; then words in titles go first, then
  // shorter titles. Of a large board it loads only the parts that the words of the query need.
  const query = new URLSearchParams(location.search).get("q") ?? "";
  const box = document.getElementById("q"), found = document.getElementById("found"), hits = document.getElementById("hits");
  const arxiv = /(?:arxiv\.org\/(?:abs|pdf)\/|^arxiv:|^)(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?\/\d{7})(?:v\d+)?(?:\.pdf)?$/i;
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").normalize("NFC").toLowerCase();
  const wordsOf = (text) => plain(arxiv.exec(text.trim())?.[1] ?? text).split(/[^\p{L}\p{N}]+/u).filter(Boolean).slice(0, 12);
  const ofEach = 15; // hits of each kind

  const { block, kinds, prefixes, parts } = window.surefootIndex, known = new Set(prefixes), loaded = new Map();
  window.surefootPart = (key, data) => { parts[key] = data; };
  const load = (key, file) => {
    if (Object.hasOwn(parts, key)) return parts[key];
    if (!loaded.has(key)) loaded.set(key, new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = `search/${file}.js`;
      script.onload = () => done(parts[key]);
      script.onerror = () => { loaded.delete(key); failed(new Error(file)); };
      document.head.append(script);
    }));
    return loaded.get(key);
  };
  // Entry -> 0 where the word is in its title, else 1. A single letter is no beginning.
  const placesOf = async (word, last) => {
    const letters = [...word], prefix = letters.slice(0, 2).join(""), places = new Map();
    if (!known.has(prefix)) return places;
    const hex = [...new TextEncoder().encode(prefix)].map((b) => b.toString(16).padStart(2, "0")).join("");
    for (const [own, steps] of Object.entries(await load(`w${prefix}`, `w${hex}`))) {
      if (last && letters.length > 1 ? !own.startsWith(word) : own !== word) continue;
      let at = 0;
      for (const step of steps) {
        at += step;
        places.set(at >> 1, Math.min(at & 1, places.get(at >> 1) ?? 1));
      }
    }
    return places;
  };
  const lookFor = async (words) => {
    const [first, ...others] = await Promise.all(words.map((w, i) => placesOf(w, i === words.length - 1)));
    const both = [...first].filter(([entry]) => others.every((places) => places.has(entry)))
      .map(([entry, score]) => [Math.max(score, ...others.map((places) => places.get(entry))), entry])
      .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const room = {}, list = both.filter(([, entry]) => (room[kinds[entry]] = (room[kinds[entry]] ?? ofEach) - 1) >= 0);
    return Promise.all(list.map(async ([, entry]) => {
      const number = Math.floor(entry / block);
      const [kind, title, more, href] = (await load(`e${number}`, `e${number}`))[entry % block];
      return { kind, title, more, href };
    }));
  };

  const show = (list) => {
    found.textContent = `${list.length} ${list.length === 1 ? "hit" : "hits"}`;
    const groups = new Map();
    for (const e of list) groups.set(e.kind, [...(groups.get(e.kind) ?? []), e]);
    hits.replaceChildren();
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
  let asked = 0;
  const look = async (text) => {
    const words = wordsOf(text), mine = asked += 1;
    if (!words.length) { hits.replaceChildren(); found.textContent = ""; return; }
    try {
      const list = await lookFor(words);
      if (mine === asked) show(list);
    } catch (error) {
      if (mine === asked) found.textContent = `A part of the search could not be loaded (search/${error.message}.js): copy the whole folder.`;
    }
  };
  box.value = query;
  box.addEventListener("input", () => look(box.value));
  look(query);
})();
