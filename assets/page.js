// Ctrl+Enter (Cmd+Enter) in the news starts the comparison; Gradio's own key for a text of many lines is Shift+Enter.
document.documentElement.lang = new URLSearchParams(location.search).get("lang") === "en" ? "en" : "ko";
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest("#news")) {
    event.preventDefault();
    document.querySelector("#compare").click();
  }
});
