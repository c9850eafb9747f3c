// What is connected: a list, and a page for each connection.

import { api } from "./api.js";
import { announce, h, rows, say } from "./dom.js";
import { ago, number, when } from "./format.js";
import { deletionSheet } from "./deletions.js";
import { scheduleSheet } from "./schedule.js";

export function connectionsPage() {
  const list = h("ol.runs", { "aria-label": "Connections" });
  const empty = h("p.quiet", {}, "Looking what is connected …");
  const more = h("button", { type: "button", hidden: true, onclick: load }, "Show more");
  const element = h("div.page", {}, h("section.sheet", { "aria-labelledby": "connections" },
    h("h1", { id: "connections" }, "Connections"), empty, list, more));
  let cursor = null;
  const all = [];

  async function load() {
    try {
      const page = await api.connections(cursor);
      cursor = page.next_cursor;
      all.push(...page.items);
      rows(list, all, (item) => item.id, row);
      more.hidden = cursor === null;
      say(empty, all.length ? "" : "Nothing is connected yet.");
    } catch (problem) {
      say(empty, `${problem.message} ${problem.action ?? ""}`);
    }
  }

  load();
  return { title: "Connections", element };
}

function row(item) {
  const needs = item.credential?.needs;
  return h("li", {}, h("a.run-row", { href: `#/connections/${item.id}` },
    h("span.pill", { "data-status": needs ? "waiting" : "succeeded" }, needs ? "Connect again" : item.kind),
    h("strong", {}, item.title), h("span.quiet", {}, item.owner),
    h("time.quiet", { datetime: item.created_at }, ago(item.created_at))));
}

export function connectionPage(id) {
  const element = h("div.page", {}, h("section.sheet", {}, h("p.quiet", {}, "Looking …")));
  api.connection(id).then(
    (connection) => element.replaceChildren(head(connection), freshnessSheet(id), deletionSheet(id), scheduleSheet(id)),
    (problem) => element.replaceChildren(h("section.sheet", {}, h("h1", {}, problem.message),
      h("p", {}, problem.action ?? "", " ", h("a", { href: "#/connections" }, "All connections")))),
  );
  return { title: "Connection", element };
}

function head(connection) {
  const trouble = h("p.problem", { role: "alert", hidden: true });
  const start = h("button.primary", { type: "button", onclick: begin }, "Ingest now");

  async function begin() {
    try {
      const { run } = await api.start(connection.id);
      location.hash = `#/runs/${run.id}`;
    } catch (problem) {
      say(trouble, `${problem.message} ${problem.action ?? ""}`);
      trouble.hidden = false;
    }
  }

  async function erase() {
    try {
      await api.erase(connection.id);
      announce("Disconnected: everything of it is being erased", { urgent: true });
      location.hash = "#/connections";
    } catch (problem) {
      say(trouble, `${problem.message} ${problem.action ?? ""}`);
      trouble.hidden = false;
    }
  }

  const confirm = confirmation(erase);
  const disconnect = h("button.danger", { type: "button", onclick: () => confirm.showModal() }, "Disconnect");

  return h("section.sheet", { "aria-labelledby": "title" },
    h("h1", { id: "title" }, connection.title),
    h("p.quiet", {}, `${connection.kind}, of ${connection.owner}, since ${ago(connection.created_at)}`),
    h("p.choices", {}, start, disconnect), trouble, confirm);
}

/** When it was ingested last, how old its news are, and what the last run changed. */
function freshnessSheet(id) {
  const list = h("dl.figures", {});
  const changed = h("p", {});
  const element = h("section.sheet", { "aria-labelledby": "freshness", hidden: true },
    h("h2", { id: "freshness" }, "How fresh it is"), list, changed);
  api.freshness(id).then((fresh) => {
    const shown = [
      ["Last success", fresh.last_success_at ? ago(fresh.last_success_at) : "never"],
      ["Newest artifact", fresh.newest_artifact_at ? ago(fresh.newest_artifact_at) : "–"],
      ["Next run", fresh.next_run_at ? when(fresh.next_run_at) : "when asked"],
    ];
    list.replaceChildren(...shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    if (fresh.last_run) {
      const run = fresh.last_run;
      const parts = ["added", "updated", "deleted", "unchanged", "failed"].map((name) => `${number(run[name])} ${name}`);
      changed.replaceChildren("The ", h("a", { href: `#/runs/${run.run_id}` }, "last run"), `: ${parts.join(", ")}.`);
    }
    element.hidden = false;
  }, () => {});
  return element;
}

function confirmation(act) {
  const element = h("dialog.sheet", { "aria-labelledby": "erase-title", onclose: closed },
    h("h2", { id: "erase-title" }, "Disconnect for good?"),
    h("p", {}, "The grant is revoked, and everything that was ingested of it is erased. This cannot be undone."),
    h("form.choices", { method: "dialog" },
      h("button", { value: "", autofocus: true }, "Keep it"),
      h("button.danger", { value: "erase" }, "Erase everything")));

  function closed() {
    const chosen = element.returnValue;
    element.returnValue = "";
    if (chosen === "erase") act();
  }

  return element;
}
