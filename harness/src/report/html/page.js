"use strict";
(() => {
  const root = document.documentElement, find = document.getElementById("find"), only = document.getElementById("only"),
    shown = document.getElementById("shown"), cases = [...document.querySelectorAll("article.case")],
    rows = [...document.querySelectorAll("tbody tr")], buttons = [...document.querySelectorAll("[data-find]")];
  root.classList.add("js");

  // What a row can be found by: all that it says, and its scenario's name.
  const text = new Map(rows.map(row => [row, (row.closest(".scenario").dataset.name + " " + row.textContent).toLowerCase()]));
  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      row.hidden = only.checked && row.classList.contains("ok") || !words.every(word => text.get(row).includes(word));
      count += !row.hidden;
    }
    for (const scenario of document.querySelectorAll(".scenario")) scenario.hidden = !scenario.querySelector("tbody tr:not([hidden])");
    for (const button of buttons) button.setAttribute("aria-pressed", words.includes(button.dataset.find));
    shown.value = count < rows.length ? count + " of " + rows.length + " cases" : "";
  };
  find.addEventListener("input", filter);
  only.addEventListener("input", filter);
  document.querySelector(".filter").addEventListener("submit", event => event.preventDefault());
  for (const button of buttons) button.addEventListener("click", () => {
    const words = find.value.split(/\s+/).filter(Boolean), at = words.indexOf(button.dataset.find);
    if (at < 0) words.push(button.dataset.find); else words.splice(at, 1);
    find.value = words.join(" ");
    filter();
  });

  // The address says what is shown: #case, #case/connection, or nothing.
  const at = () => { try { return document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return null; } };
  const show = () => {
    const target = at(), here = target?.closest("article.case");
    root.classList.toggle("one", !!here);
    for (const one of cases) one.classList.toggle("here", one === here);
    for (const on of document.querySelectorAll(".on")) on.classList.remove("on");
    for (const flow of document.querySelectorAll(".flow.sel")) flow.classList.remove("sel");
    if (!here) { scrollTo(0, 0); return; }
    // A graph is markup in a comment until somebody looks at it.
    const later = here.querySelector(".later");
    if (later) later.outerHTML = later.firstChild.data;
    if (target.matches(".verdict")) {
      target.classList.add("on");
      here.querySelector(".flow")?.classList.add("sel");
      for (const row of here.querySelectorAll(`.flow [data-c="${target.dataset.c}"]`)) row.classList.add("on");
      target.scrollIntoView({ block: "nearest" });
    } else scrollTo(0, 0);
    target.focus({ preventScroll: true });
  };
  addEventListener("hashchange", show);
  show();

  addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox])")) return;
    const here = cases.findIndex(one => one.classList.contains("here"));
    const seen = cases.filter((_, index) => !rows[index]?.hidden);
    const step = by => { const next = seen[here < 0 ? 0 : seen.indexOf(cases[here]) + by]; if (next) location.hash = next.id; };
    if (event.key === "/") { location.hash = "overview"; find.focus(); event.preventDefault(); }
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "o" || event.key === "Escape") location.hash = "overview";
  });
})();
