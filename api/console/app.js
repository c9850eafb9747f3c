// The console: which page is shown. A page's address says all there is to know, so that a reload,
// a bookmark or another device shows the same.

import { connectionPage, connectionsPage } from "./connections.js";
import { h } from "./dom.js";
import { home } from "./home.js";
import { runPage } from "./run.js";
import { searchPage } from "./search.js";

const main = document.getElementById("main");
const box = document.getElementById("query");
let leave = () => {};

function show() {
  leave();
  const [path, parameters] = location.hash.replace(/^#/, "").split("?");
  const page = pageFor(path, new URLSearchParams(parameters ?? ""));
  leave = page.leave ?? (() => {});
  main.replaceChildren(page.element);
  document.title = `${page.title} · Headwater`;
}

function pageFor(path, parameters) {
  const run = path.match(/^\/runs\/([0-9a-fA-F-]{36})$/);
  if (run) return runPage(run[1]);
  const connection = path.match(/^\/connections\/([0-9a-fA-F-]{36})$/);
  if (connection) return connectionPage(connection[1]);
  if (path === "/connections") return connectionsPage();
  if (path === "/search") {
    box.value = parameters.get("q") ?? "";
    return searchPage(box.value);
  }
  if (path === "" || path === "/") return home();
  return {
    title: "Not found",
    element: h("section.sheet", {}, h("h1", {}, "There is no such page"),
      h("p", {}, h("a", { href: "#/" }, "Go to the start"))),
  };
}

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = box.value.trim();
  location.hash = text ? `#/search?${new URLSearchParams({ q: text })}` : "#/";
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});

window.addEventListener("hashchange", () => { show(); main.focus({ preventScroll: false }); });
show();
