// The page as files: tabs, search, and panels filled from data/*.js. Each of those is a script that hands over a packed table, as a browser lets a page
// from the disk load scripts and nothing else. What is put into the page was escaped when the files were written.
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent), { words } = facts;
  const language = facts.languages.indexOf(document.documentElement.lang);
  const $ = (selector) => document.querySelector(selector), all = (selector) => [...document.querySelectorAll(selector)];

  const tables = new Map(), waiting = new Map();
  window.newsft = { take: (name, text) => waiting.get(name)(text) };
  // Base 85 as Python writes it: five letters are four bytes, and a shorter last group is as if filled up with the last letter.
  const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~", VALUES = new Map([...LETTERS].map((letter, value) => [letter, value]));
  const decode = (text) => {
    const padding = (5 - (text.length % 5)) % 5, padded = text + "~".repeat(padding), view = new DataView(new ArrayBuffer((padded.length / 5) * 4));
    for (let i = 0; i < padded.length; i += 5) {
      let number = 0;
      for (let k = i; k < i + 5; k++) number = number * 85 + VALUES.get(padded[k]);
      view.setUint32((i / 5) * 4, number);
    }
    return new Uint8Array(view.buffer, 0, view.byteLength - padding);
  };
  const unpack = async (text) => {
    const bytes = decode(text);
    return JSON.parse(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text());
  };
  const load = (name) => {
    if (!tables.has(name)) tables.set(name, new Promise((done, fail) => {
      waiting.set(name, done);
      const script = document.createElement("script");
      script.src = `data/${name}.js`;
      script.onerror = () => { tables.delete(name); fail(new Error(name)); };
      document.head.append(script);
    }).then(unpack));
    return tables.get(name);
  };
  // A table has a column for each piece of the entries' HTML: the pieces, and which of them each line has. An entry has a line for each language.
  const entry = async (name, number) => {
    const size = facts.sizes[name], columns = await load(`${name}-${Math.floor(number / size)}`), line = (number % size) * facts.languages.length + language;
    return columns.map(([pieces, numbers]) => pieces[numbers[line]]).join("");
  };
  const newest = new Map(); // place -> what was asked for last: an earlier one that comes later is dropped
  const show = async (place, name, number) => {
    const asked = {};
    newest.set(place, asked);
    $(place).setAttribute("aria-busy", "true");
    let html;
    try { html = await entry(name, number); } catch { html = `<p class="problem" role="alert">${words.failed}</p>`; }
    if (newest.get(place) !== asked) return;
    $(place).innerHTML = html;
    $(place).removeAttribute("aria-busy");
  };

  let row = null; // the row of the lesson's tabs; null is the short example
  const lesson = () => {
    const open = facts.lessons.find((name) => !$(`#panel-${name}`).hidden);
    for (const box of all("input.row")) box.value = row ?? "";
    if (open) show(`#${open}`, open, row === null ? 0 : row + 1);
  };
  const choose = (wanted) => {
    row = wanted === null ? null : Math.min(Math.max(Math.trunc(wanted) || 0, 0), facts.counts.rows - 1);
    lesson();
  };
  const lab = () => show("#pair", "lab", Number($("#lab-conversation").value) * facts.faults + Number($("#lab-fault").value));
  const trainer = () => show("#trainer-rows", "trainers", Number($("#trainer-key").value));
  const openTab = (tab) => {
    for (const other of all("[role=tab]")) {
      other.setAttribute("aria-selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
      $(`#${other.getAttribute("aria-controls")}`).hidden = other !== tab;
    }
    lesson();
    if (tab.id === "tab-lab") { lab(); trainer(); }
  };

  const search = async () => {
    const query = $("#query").value.trim().toLowerCase(), passing = new Set(facts.filters[$("#filter").value]);
    const [texts] = query ? await load("search-answers") : [[]];
    let count = 0;
    all("#list tbody tr").forEach((line, number) => {
      line.hidden = !passing.has(number) || (query !== "" && !texts[number].includes(query));
      count += !line.hidden;
    });
    $("#count").textContent = words.found.replace("{count}", count);
  };
  // The next row, from the one that is shown, whose article has the words.
  const find = async (query) => {
    const [texts] = await load("search-rows"), from = (row ?? -1) + 1;
    for (let i = 0; query && i < texts.length; i++) {
      const at = (from + i) % texts.length;
      if (texts[at].includes(query)) return choose(at);
    }
  };

  const open = async (number) => {
    await show("#opened", "answers", number);
    for (const button of all("[data-entry]")) button.ariaCurrent = button.dataset.entry === String(number) ? "true" : null;
    $("#opened").scrollIntoView({ block: "nearest" });
    const test = number - facts.counts.examples;
    if (test >= 0 && test < facts.counts.rows) choose(test); // the lesson's tabs follow
  };
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button?.role === "tab") openTab(button);
    else if (button?.dataset.entry) open(Number(button.dataset.entry));
    else if (button?.dataset.step) choose((row ?? (button.dataset.step > 0 ? -1 : 1)) + Number(button.dataset.step));
    else if (button && "toy" in button.dataset) choose(null);
  });
  document.addEventListener("change", ({ target }) => {
    if (target.matches("input.row")) choose(target.value === "" ? null : Number(target.value));
    if (target.matches("#lab-conversation, #lab-fault")) lab();
    if (target.matches("#trainer-key")) trainer();
    if (target.matches("#filter")) search();
  });
  document.addEventListener("input", ({ target }) => { if (target.matches("#query")) search(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches(".find")) find(event.target.value.trim().toLowerCase());
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && event.target.role === "tab") {
      const tabs = all("[role=tab]"), next = tabs.at((tabs.indexOf(event.target) + step) % tabs.length);
      next.focus();
      openTab(next);
    }
  });
  if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.classList.add("dark");
  openTab($("#tab-compare"));
  search();
})();
