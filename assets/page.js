// Ctrl+Enter (Cmd+Enter) in the news starts the comparison; Gradio's own key for a text of many lines is Shift+Enter.
document.documentElement.lang = new URLSearchParams(location.search).get("lang") === "en" ? "en" : "ko";
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest("#news")) {
    event.preventDefault();
    document.querySelector("#compare").click();
  }
});

// Arrows move within a group of radio buttons. Gradio gives each a name of its own, so the browser takes each for a group.
document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.matches?.("fieldset input[type=radio]")) return;
  const group = [...event.target.closest("fieldset").querySelectorAll("input[type=radio]")];
  const next = group.at((group.indexOf(event.target) + step) % group.length);
  event.preventDefault();
  next.focus();
  next.click();
});

// Gradio gives every box and radio button its value as a tooltip, which says nothing to a reader: "header_spaces".
for (const reached of ["mouseover", "focusin"]) {
  document.addEventListener(reached, ({ target }) => {
    target.closest?.("label")?.querySelector("input[title]")?.removeAttribute("title");
  });
}

// A button that is pressed and then switched off would lose the focus to nowhere: its partner takes it.
(() => {
  const partners = { compare: "stop", stop: "compare", grow: "grow-stop", "grow-stop": "grow" };
  let last = null;
  document.addEventListener("focusin", (event) => { last = event.target; });
  const hand = (button) => {
    const partner = document.querySelector(`button#${partners[button.id]}`);
    if (partner && !partner.disabled && [document.body, button].includes(document.activeElement)) partner.focus();
  };
  // What a comparison says to those who do not see it: that it has begun, and how each side ended. The words are the page's own.
  const live = document.createElement("p");
  live.className = "sr";
  live.setAttribute("role", "status");
  const tell = () => {
    const sides = [...document.querySelectorAll("#answers section.side")], stop = document.querySelector("button#stop");
    const ended = sides.length && sides.every((side) => side.getAttribute("aria-busy") === "false");
    const words = ended
      ? sides.map((side) => `${side.querySelector("h3").textContent}: ${side.querySelector(".stats").textContent}`).join(" ")
      : stop && !stop.disabled ? sides.map((side) => side.querySelector(".waiting")?.textContent).find(Boolean) : null;
    if (words && words !== live.textContent) live.textContent = words;
  };
  new MutationObserver((changes) => {
    if (!live.isConnected) document.body?.append(live); // Gradio fills the body after it has loaded
    for (const { type, target } of changes) {
      if (type === "attributes" && target === last && target.id in partners && target.disabled) setTimeout(hand, 100, target);
    }
    if (changes.some(({ target }) => target.nodeType === 1 && target.closest("#answers"))) tell();
  }).observe(document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter: ["disabled"] });
})();
