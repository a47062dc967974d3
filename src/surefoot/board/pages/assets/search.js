"use strict";
(() => {
  // Looks through the index that lies beside the pages; every word must begin a word of the entry.
  // Of a large board (surefootParts) it loads only the parts that the words of the query need.
  const query = new URLSearchParams(location.search).get("q") ?? "";
  const box = document.getElementById("q"), found = document.getElementById("found"), hits = document.getElementById("hits");
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const wordsOf = (text) => plain(text).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const most = 60;

  const whole = (window.surefootIndex ?? []).map(([kind, title, more, href]) => ({
    kind, title, more, href, words: wordsOf(`${title} ${more}`), head: plain(title),
  }));
  const inWhole = (words) => {
    const score = (e) => words.reduce((sum, w) => sum + (e.head.includes(w) ? 2 : 1), 0) - e.head.length / 1000;
    const list = whole.filter((e) => words.every((w) => e.words.some((own) => own.startsWith(w))))
      .sort((a, b) => score(b) - score(a));
    return { total: list.length, list: list.slice(0, most) };
  };

  const parts = window.surefootParts, loaded = new Map(), arrived = new Map();
  const prefixes = new Set(parts?.prefixes);
  window.surefootWords = (prefix, words) => arrived.set(`w${prefix}`, words);
  window.surefootEntries = (number, lines) => arrived.set(`e${number}`, lines);
  const load = (key, file) => {
    if (!loaded.has(key)) loaded.set(key, new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = `search/${file}.js`;
      script.onload = () => done(arrived.get(key));
      script.onerror = () => { loaded.delete(key); failed(new Error(file)); };
      document.head.append(script);
    }));
    return loaded.get(key);
  };
  // Entry -> 1 where the word is in its title, else 0. A single letter is only found as a word.
  const placesOf = async (word) => {
    const letters = [...word], prefix = letters.slice(0, 2).join(""), places = new Map();
    if (!prefixes.has(prefix)) return places;
    const hex = [...new TextEncoder().encode(prefix)].map((b) => b.toString(16).padStart(2, "0")).join("");
    for (const [own, steps] of Object.entries(await load(`w${prefix}`, `w${hex}`))) {
      if (letters.length > 1 ? !own.startsWith(word) : own !== word) continue;
      let at = 0;
      for (const step of steps) {
        at += step;
        const entry = at >> 1, title = 1 - (at & 1);
        if (title || !places.has(entry)) places.set(entry, title);
      }
    }
    return places;
  };
  const inParts = async (words) => {
    const [first, ...others] = await Promise.all(words.map(placesOf)), scores = [];
    for (const [entry, title] of first) {
      let score = title;
      if (others.every((places) => { score += places.get(entry) ?? 0; return places.has(entry); })) scores.push([score, entry]);
    }
    scores.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    const list = await Promise.all(scores.slice(0, most).map(async ([, entry]) => {
      const number = Math.floor(entry / parts.block);
      const [kind, title, more, href] = (await load(`e${number}`, `e${number}`))[entry % parts.block];
      return { kind, title, more, href };
    }));
    return { total: scores.length, list };
  };

  const show = ({ total, list }) => {
    found.textContent = `${total.toLocaleString("en")} ${total === 1 ? "hit" : "hits"}${total > most ? `, the first ${most}` : ""}`;
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
    const words = [...new Set(wordsOf(text))].slice(0, 12), mine = asked += 1;
    if (!words.length) { hits.replaceChildren(); found.textContent = ""; return; }
    try {
      const result = parts ? await inParts(words) : inWhole(words);
      if (mine === asked) show(result);
    } catch (error) {
      if (mine === asked) found.textContent = `A part of the search could not be loaded (search/${error.message}.js): copy the whole folder.`;
    }
  };
  box.value = query;
  box.addEventListener("input", () => look(box.value));
  look(query);
})();
