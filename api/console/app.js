// The console: which page is shown. A page's address says all there is to know, so that a reload,
// a bookmark or another device shows the same.

import { signIn } from "./api.js";
import { connectionPage, connectionsPage } from "./connections.js";
import { h, say } from "./dom.js";
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

// The server asks who we are: it is one that others can reach.
function signInPage() {
  const notice = h("p.notice", { hidden: true, role: "alert" });
  const field = h("input", { id: "key", type: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const form = h("form", {}, h("label", { for: "key" }, "Key"), field, h("button", { type: "submit" }, "Sign in"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await signIn(field.value.trim());
      show();
    } catch (problem) {
      say(notice, `${problem.message} ${problem.action ?? ""}`);
      notice.hidden = false;
    }
  });
  return { title: "Sign in", field, element: h("section.sheet", { "aria-labelledby": "sign-in" },
    h("h1", { id: "sign-in" }, "Sign in"),
    h("p.quiet", {}, "This server asks for a key, as `headwater keys create` makes it. This page keeps it until it is closed."),
    notice, form) };
}

window.addEventListener("headwater:unknown", () => {
  if (document.getElementById("sign-in")) return;
  leave();
  leave = () => {};
  const page = signInPage();
  main.replaceChildren(page.element);
  document.title = `${page.title} · Headwater`;
  page.field.focus();
});
window.addEventListener("hashchange", () => { show(); main.focus({ preventScroll: false }); });
show();
