// The start: what to ingest, and what ran.

import { api } from "./api.js";
import { h, rows, say } from "./dom.js";
import { STATUS, OVER, ago, number } from "./format.js";

const REFRESH = 3000; // the list is a list; the page of a run is live

export function home() {
  const list = h("ol.runs", { "aria-label": "Runs" });
  const empty = h("p.quiet", {}, "Nothing has been ingested yet.");
  const notice = h("p.notice", { hidden: true, role: "alert" });
  const element = h("div.page", {}, starter(),
    h("section.sheet", { "aria-labelledby": "runs" }, h("h2", { id: "runs" }, "Runs"), notice, empty, list));
  let timer = null;
  let left = false;

  async function refresh() {
    try {
      const { items } = await api.runs();
      empty.hidden = items.length > 0;
      notice.hidden = true;
      rows(list, items, (run) => `${run.id} ${run.status} ${run.counts.found} ${run.counts.processed}`, row);
    } catch (problem) {
      say(notice, `${problem.message} ${problem.action ?? ""}`);
      notice.hidden = false;
    }
    if (!left) timer = setTimeout(refresh, REFRESH);
  }

  refresh();
  return { title: "Start", element, leave() { left = true; clearTimeout(timer); } };
}

function row(run) {
  const { counts } = run;
  const amount = OVER.has(run.status)
    ? `${number(counts.found)} found, ${number(counts.processed)} processed`
    : `${number(counts.found)} found so far`;
  return h("li", {}, h("a.run-row", { href: `#/runs/${run.id}` },
    h("span.pill", { "data-status": run.status }, STATUS[run.status] ?? run.status),
    h("strong", {}, run.title ?? run.workflow),
    h("span.quiet", {}, amount),
    h("time.quiet", { datetime: run.created_at }, ago(run.created_at))));
}

function starter() {
  const path = h("input", {
    id: "path", name: "path", required: true, placeholder: "/home/me/project", autocomplete: "off",
    spellcheck: "false", "aria-describedby": "path-help path-problem", maxlength: 4096,
  });
  const problem = h("p.problem", { id: "path-problem", role: "alert", hidden: true });
  const button = h("button.primary", { type: "submit" }, "Start");

  async function submit(event) {
    event.preventDefault();
    problem.hidden = true;
    button.disabled = true;
    try {
      const connection = await api.connect("local", { path: path.value.trim() });
      const started = await api.start(connection.id);
      location.hash = `#/runs/${started.run.id}`;
    } catch (error) {
      problem.replaceChildren(h("strong", {}, error.message), error.action ? ` ${error.action}` : "");
      problem.hidden = false;
      path.focus();
    } finally {
      button.disabled = false;
    }
  }

  const account = h("button", { type: "button" }, "Connect an account");
  account.addEventListener("click", async () => {
    try {
      location.href = (await api.connecting({ owner: "local" })).url;
    } catch (error) {
      problem.replaceChildren(h("strong", {}, error.message), error.action ? ` ${error.action}` : "");
      problem.hidden = false;
    }
  });

  return h("section.sheet.hero", { "aria-labelledby": "start" },
    h("h1", { id: "start" }, "What should be ingested?"),
    h("p.quiet", { id: "path-help" },
      "A git repository or a folder on this machine. It is only read, never changed; what is indexed stays here."),
    h("form.starter", { onsubmit: submit }, h("label.unseen", { for: "path" }, "Path"), path, button),
    problem, h("p", {}, account));
}
