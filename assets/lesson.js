// The lesson's tabs: walking a row's tokens, their passport, table and downloads; lighting up what belongs together.
// Texts of users reach the page only through textContent.
(() => {
  const known = new WeakMap(); // token view -> { source, said, tokens, words, chips, at, page }
  const PAGE = 200, LEAP = 25;

  // Gradio keeps the node of a row and gives it another row's data: what is known of it holds as long as its data are the same.
  const read = (view) => {
    const { tokens: source, words: said } = view.dataset;
    if (known.get(view)?.source !== source || known.get(view).said !== said) {
      const columns = Object.entries(JSON.parse(view.dataset.tokens)); // name of a field -> its values, one per token
      const tokens = columns[0][1].map((_, at) => Object.fromEntries(columns.map(([name, values]) => [name, values[at]])));
      known.set(view, { source, said, tokens, words: JSON.parse(said), chips: [...view.querySelectorAll(".tokens i")], at: -1, page: 0 });
    }
    return known.get(view);
  };
  const add = (parent, tag, text, kind) => {
    const child = parent.appendChild(document.createElement(tag));
    if (text !== undefined) child.textContent = text;
    if (kind) child.className = kind;
    return child;
  };
  // As its chip shows it, white space made visible; a part of a split character by the chip that bears the character. Padding has no text.
  const shown = ({ tokens, chips, words }, at) => (chips[at - tokens[at].part + 1].textContent || words[`origin_${tokens[at].origin}`]) + (tokens[at].parts > 1 ? ` (${tokens[at].part}/${tokens[at].parts})` : "");
  const label = (words, token) => (token.label < 0 ? `-100 (${words.ignored})` : String(token.label));

  const shift = (state, at) => {
    const { tokens, words } = state, next = tokens[at + 1];
    if (!next) return words.next_none;
    const fill = (text) => text.replace(/{(next|id)}/g, (_, name) => (name === "id" ? next.id : shown(state, at + 1)));
    return fill(next.label < 0 ? words.next_ignored : words.next_trained);
  };
  const findPassport = (view) => view.querySelector(".passport") ?? view.closest(".pair")?.querySelector(".passport");
  const passport = (view, state, at) => {
    const { tokens, words } = state, token = tokens[at];
    const panel = findPassport(view);
    if (!panel) return;
    for (const other of document.querySelectorAll(".passport.open")) if (other !== panel) other.classList.remove("open"); // one sheet at a time
    const heading = panel.querySelector("h4").textContent;
    panel.replaceChildren();
    panel.classList.add("open"); // on a phone a sheet at the lower edge, else it stands beside the tokens anyway
    add(panel, "h4", heading);
    const close = add(panel, "button", "×", "close");
    close.type = "button";
    close.ariaLabel = words.close;
    close.onclick = () => { state.chips[at].focus(); panel.classList.remove("open"); }; // the focus alone would open it
    add(panel, "p", shown(state, at), "big");
    const list = add(panel, "dl");
    const facts = [
      [words.position, `${at} / ${tokens.length - 1}`],
      [words.id, token.id + (token.control ? ` (${words.control_token})` : "")],
      [words.bytes, token.bytes],
      [words.origin, words[`origin_${token.origin}`]],
      [words.mask, `${token.mask} (${token.mask ? words.mask_1 : words.mask_0})`],
      [words.label, label(words, token)],
    ];
    for (const [name, value] of facts) { add(list, "dt", name); add(list, "dd", value); }
    add(panel, "p", words[`reason_${token.reason}`], "why");
    add(panel, "p", shift(state, at), "shift");
  };
  const choose = (chip) => {
    const view = chip.closest(".token-view"), state = read(view), at = state.chips.indexOf(chip);
    for (const old of view.querySelectorAll("i.sel, i.nx")) { old.classList.remove("sel", "nx"); old.removeAttribute("aria-selected"); }
    for (const old of view.querySelectorAll("i[tabindex]")) if (old !== chip) old.removeAttribute("tabindex"); // its own would cost it the focus
    const token = state.tokens[at];
    chip.tabIndex = 0;
    chip.classList.add("sel");
    chip.setAttribute("aria-selected", "true");
    chip.setAttribute("aria-label", `${shown(state, at)}, ${state.words.id} ${token.id}, ${state.words.label} ${label(state.words, token)}, ${state.words.mask} ${token.mask}, ${state.words[`origin_${token.origin}`]}`);
    state.chips[at + 1]?.classList.add("nx");
    state.at = at;
    passport(view, state, at);
  };
  // On a phone the passport lies over the lower part of the screen: the tokens move, then the page, until the chip stands above it.
  const uncover = (chip) => {
    const view = chip.closest(".token-view"), row = chip.closest(".tokens"), panel = findPassport(view);
    const covered = () => Math.max(0, chip.getBoundingClientRect().bottom + 8 - panel.getBoundingClientRect().top);
    if (!panel || getComputedStyle(panel).position !== "fixed") return;
    row.scrollTop += covered();
    scrollBy(0, covered());
  };
  // The chip above or below: of the next line of chips, the one whose middle is nearest.
  const vertical = (chips, at, step) => {
    const here = chips[at].getBoundingClientRect(), middle = here.left + here.width / 2;
    let best = -1, line = null, distance = Infinity;
    for (let i = at + step; chips[i]; i += step) {
      const box = chips[i].getBoundingClientRect();
      if (Math.abs(box.top - here.top) < 4) continue;
      line ??= box.top;
      if (Math.abs(box.top - line) >= 4) break;
      const away = Math.abs(box.left + box.width / 2 - middle);
      if (away < distance) { distance = away; best = i; }
    }
    return best;
  };
  const walk = (event, chip) => {
    const { chips } = read(chip.closest(".token-view")), at = chips.indexOf(chip), end = chips.length - 1;
    const goals = {
      ArrowRight: () => at + 1, ArrowLeft: () => at - 1,
      ArrowDown: () => vertical(chips, at, 1), ArrowUp: () => vertical(chips, at, -1),
      Home: () => 0, End: () => end,
      PageDown: () => Math.min(end, at + LEAP), PageUp: () => Math.max(0, at - LEAP),
    };
    const goal = goals[event.key]?.();
    if (goal === undefined) return;
    event.preventDefault();
    if (chips[goal]) { choose(chips[goal]); chips[goal].focus(); uncover(chips[goal]); }
  };

  const columns = ["position", "id", "text", "label", "attention_mask", "origin", "bytes"];
  const record = (token, at) => [at, token.id, token.text, token.label, token.mask, token.origin, token.bytes];
  const save = (name, kind, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  // The page is drawn anew, its buttons too: the keyboard stays on the same one, or at the end on the other.
  const focusPager = (place, step) => {
    const buttons = [...place.querySelectorAll(".pager button")], same = buttons[step < 0 ? 0 : 1];
    (same.disabled ? buttons.find((button) => !button.disabled) : same)?.focus();
  };
  const cell = (value) => `"${String(value).replaceAll('"', '""')}"`;
  const table = (view) => {
    const state = read(view), { tokens, words } = state, place = view.querySelector(".table");
    place.replaceChildren();
    const pages = Math.ceil(tokens.length / PAGE), first = state.page * PAGE, bar = add(place, "div", undefined, "pager");
    for (const [step, text] of [[-1, words.previous_page], [1, words.next_page]]) {
      const button = add(bar, "button", text);
      button.type = "button";
      button.disabled = !(state.page + step in [...Array(pages)]);
      button.onclick = () => { state.page += step; table(view); focusPager(place, step); };
    }
    add(bar, "span", words.page_of.replace("{page}", state.page + 1).replace("{pages}", pages));
    const grid = add(place, "table"), head = add(add(grid, "thead"), "tr"), body = add(grid, "tbody");
    for (const name of ["position", "id", "text", "label", "mask", "origin", "bytes"]) add(head, "th", words[name]).scope = "col";
    tokens.slice(first, first + PAGE).forEach((token, i) => {
      const line = add(body, "tr", undefined, token.label < 0 ? "" : "t");
      record(token, first + i).forEach((value, column) => add(line, "td", column === 2 ? shown(state, first + i) : column === 5 ? words[`origin_${value}`] : value));
    });
  };
  const tools = {
    table: (view, button) => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", open);
      if (open) table(view); else view.querySelector(".table").replaceChildren();
    },
    csv: (view) => save("tokens.csv", "text/csv", "\ufeff" + [columns, ...read(view).tokens.map(record)].map((line) => line.map(cell).join(",")).join("\r\n")),
    json: (view) => save("tokens.json", "application/json", JSON.stringify(read(view).tokens.map((token, at) => Object.fromEntries(record(token, at).map((value, i) => [columns[i], value]))), null, 1)),
  };

  document.addEventListener("focusin", (event) => { const chip = event.target.closest?.(".tokens i"); if (chip) choose(chip); });
  document.addEventListener("click", (event) => {
    const chip = event.target.closest(".tokens i"), tool = event.target.closest(".token-view [data-tool]");
    if (chip) { choose(chip); chip.focus({ preventScroll: true }); uncover(chip); }
    if (tool) tools[tool.dataset.tool](tool.closest(".token-view"), tool);
  });
  document.addEventListener("keydown", (event) => { const chip = event.target.closest?.(".tokens i"); if (chip) walk(event, chip); });

  // The lab's two rows open where they first differ: both of them, as what is other in one has its place in the other.
  const showDifference = (place) => {
    for (const row of document.querySelectorAll(`${place} .tokens`)) {
      const first = row.querySelector("i.x");
      if (first) row.scrollTop += first.getBoundingClientRect().top - row.getBoundingClientRect().top - row.clientHeight / 3;
    }
  };
  const pairs = { "#pair": null, "#trainer-rows": null }; // the tokens that stand there
  new MutationObserver(() => {
    for (const place in pairs) {
      const now = [...document.querySelectorAll(`${place} .pair .token-view`)].map((view) => view.dataset.tokens).join();
      if (now && now !== pairs[place]) setTimeout(showDifference, 50, place);
      pairs[place] = now;
    }
  }).observe(document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-tokens"] });

  const light = (event) => {
    const link = event.target.closest?.(".template-view [data-link]");
    for (const lit of document.querySelectorAll(".template-view .lit")) lit.classList.remove("lit");
    if (link) for (const partner of link.closest(".template-view").querySelectorAll(`[data-link="${link.dataset.link}"]`)) partner.classList.add("lit");
  };
  for (const kind of ["mouseover", "focusin"]) document.addEventListener(kind, light);
})();
