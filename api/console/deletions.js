// What may be gone from a source: shown until somebody says whether it is.

import { api } from "./api.js";
import { announce, h, rows, say } from "./dom.js";
import { number, when } from "./format.js";

const DOUBTS = {
  everything: "The source listed nothing of it.", many: "That is unusually many.",
  recent: "All were added lately, as a listing that is out of date lacks.",
};

export function deletionSheet(connection) {
  const list = h("ol.items", {});
  const trouble = h("p.problem", { role: "alert", hidden: true });
  const element = h("section.sheet", { "aria-labelledby": "deletions", hidden: true },
    h("h2", { id: "deletions" }, "Gone from the source?"), list, trouble);

  async function load() {
    try {
      const { items } = await api.deletions(connection);
      rows(list, items, (item) => `${item.id} ${item.artifacts}`, (item) => row(item, decide));
      element.hidden = items.length === 0;
    } catch (problem) {
      say(trouble, `${problem.message} ${problem.action ?? ""}`);
      trouble.hidden = element.hidden = false;
    }
  }

  async function decide(item, what) {
    trouble.hidden = true;
    try {
      const { hidden } = await api.decide(item.id, what);
      announce(what === "approve" ? `${number(hidden)} are found by nobody now` : "They are kept", { urgent: true });
    } catch (problem) {
      say(trouble, `${problem.message} ${problem.action ?? ""}`);
      trouble.hidden = false;
    }
    await load();
    if (element.hidden) document.getElementById("main").focus();
  }

  load();
  return element;
}

function row(item, decide) {
  const names = h("p.quiet", {});
  const look = h("button", { type: "button", onclick: show }, "Show some names");

  async function show() {
    const { sample } = await api.deletion(item.id);
    say(names, sample.join(", "));
    look.hidden = true;
  }

  return h("li", {},
    h("strong", {}, `${number(item.artifacts)} of ${number(item.total)} in ${item.partition}`), " ",
    h("span", {}, DOUBTS[item.reason] ?? item.reason), " ",
    h("span.quiet", {}, `Kept since ${when(item.found_at)}.`), names,
    h("p.choices", {}, look,
      h("button", { type: "button", onclick: () => decide(item, "decline") }, "Keep them"),
      h("button.danger", { type: "button", onclick: () => decide(item, "approve") }, "They are gone")));
}
