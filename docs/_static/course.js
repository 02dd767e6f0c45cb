// Small repairs for readers who use a keyboard or a screen reader; the pages work without.
function reachable() {
  for (const box of document.querySelectorAll("mjx-container, .bd-article table, .bd-article pre"))
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // can be scrolled by the arrow keys
}
function rename(element, tag) {
  const other = document.createElement(tag);
  other.className = `${element.className} was-${element.localName}`;
  other.append(...element.childNodes);
  element.replaceWith(other);
}
function stoppable(film) {
  const picture = film.querySelector("img"), button = film.querySelector("button");
  const show = moving => {
    picture.src = moving ? picture.dataset.film : picture.dataset.still;
    button.textContent = moving ? "Pause the film" : "Play the film";
  };
  const moves = () => picture.getAttribute("src") === picture.dataset.film;
  button.addEventListener("click", () => show(!moves()));
  const less = matchMedia("(prefers-reduced-motion: reduce)");
  if (less.matches) show(false);
  less.addEventListener("change", () => show(!less.matches));
  let moved = false;
  addEventListener("beforeprint", () => { moved = moves(); show(false); });
  addEventListener("afterprint", () => show(moved));
}
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("div.film").forEach(stoppable);
  // the theme's button says "Search Ctrl+K", and its label only "Search"
  for (const button of document.querySelectorAll(".search-button-field"))
    button.ariaLabel = button.innerText.replace(/\s+/g, " ").trim() || "Search";
  for (const arrow of document.querySelectorAll("summary > .toctree-toggle"))
    arrow.parentElement.setAttribute("aria-label", "Pages below");
  // Sphinx lays out long signatures with <dl> and <dd> that define nothing
  for (const part of document.querySelectorAll("dt.sig dl, dt.sig dd")) rename(part, "div");
  for (const head of document.querySelectorAll("th")) if (!head.textContent.trim()) rename(head, "td");
  reachable();
});
window.addEventListener("load", () => {
  const ready = window.MathJax?.startup?.promise;
  if (ready) ready.then(reachable);
});
