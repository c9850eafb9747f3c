// One run, live. Four questions answered at a glance: did it start, how long, may I leave, where is
// the result.

import { api } from "./api.js";
import { WISHED, controls } from "./controls.js";
import { announce, h, rows, say } from "./dom.js";
import { OVER, STATUS, bytes, eta, number, span, total } from "./format.js";
import { failureList, failureRow, skipList, summary } from "./items.js";
import { questionForm } from "./question.js";
import { follow } from "./stream.js";

const LINK = {
  live: "Live", reconnecting: "Reconnecting…", repairing: "Catching up…", over: "",
  opening: "Connecting…",
};

export function runPage(id) {
  const view = layout(id);
  let frame = null;
  let state = null;
  let stream = null;

  function draw() {
    frame = null;
    view.draw(state);
  }

  function onState(next) {
    const first = state === null;
    state = next;
    frame ??= requestAnimationFrame(draw);
    if (first) document.title = `${next.title} · Headwater`;
    if (OVER.has(next.status)) announce(`${next.title}: ${STATUS[next.status]}`, { urgent: true });
    else announce(next.activity ?? STATUS[next.status]);
  }

  view.link("opening");
  api.run(id).then(
    () => { stream = follow(id, { onState, onLink: view.link }); },
    (problem) => view.missing(problem),
  );
  return {
    title: "Run", element: view.element,
    leave() { stream?.close(); stream = { close() {} }; cancelAnimationFrame(frame); },
  };
}

function layout(id) {
  const title = h("h1", {}, "…");
  const status = h("span.pill", {}, "");
  const link = h("span.link.quiet", {});
  const activity = h("p.activity", {});
  const reasonBox = h("div.reason", { hidden: true });
  const stages = h("ol.stages", { "aria-label": "Stages" });
  const figures = h("dl.figures", {});
  const leaveNote = h("p.quiet.leave", {});
  const latest = h("ol.latest", {});
  const latestSheet = h("section.sheet", { hidden: true },
    h("h2", {}, "You can already search"), h("p.quiet.lead", {}), latest);
  const control = controls(id);
  const question = questionForm(id);
  const failures = failureList(id);
  const skips = skipList(id);
  const receipt = h("section.sheet.receipt", { hidden: true, "aria-label": "Receipt" });
  const element = h("div.page", {},
    h("section.sheet.run", {},
      h("div.title", {}, title, status, link), activity, reasonBox, question.element, stages, figures, leaveNote, control.element),
    receipt, latestSheet, failures.element, skips.element);
  const draw = (state) => {
    drawHead(state, { title, status, activity, reasonBox, leaveNote });
    rows(stages, state.stages ?? [], (stage) => stage.key, stageRow);
    (state.stages ?? []).forEach((stage, at) => drawStage(stages.children[at], stage));
    drawFigures(figures, state);
    drawLatest(latestSheet, latest, state);
    control.draw(state);
    question.draw(state);
    failures.draw(state);
    skips.draw(state);
    if (OVER.has(state.status) && receipt.hidden) drawReceipt(receipt, id);
  };
  return {
    element,
    draw,
    link(name) { say(link, LINK[name]); link.dataset.link = name; },
    missing(problem) {
      element.replaceChildren(h("section.sheet", {}, h("h1", {}, problem.message),
        h("p", {}, problem.action ?? "", " ", h("a", { href: "#/" }, "Go to the start"))));
    },
  };
}

/** The way to consent again: the run goes on by itself then. */
function reconnect(id) {
  const button = h("button.primary", { type: "button" }, "Connect it again");
  button.addEventListener("click", async () => {
    const { owner } = await api.connection(id);
    location.href = (await api.connecting({ owner, connection_id: id })).url;
  });
  return button;
}

function drawHead(state, { title, status, activity, reasonBox, leaveNote }) {
  say(title, state.title ?? "Run");
  say(status, WISHED[state.wish] ?? STATUS[state.status] ?? state.status);
  status.dataset.status = state.status;
  const over = OVER.has(state.status);
  say(activity, over ? "" : state.activity ?? "");
  const told = state.reason;
  reasonBox.hidden = !told || Boolean(told.question); // a question has a form of its own
  if (told) {
    const until = told.until ? ` Until ${new Date(told.until).toLocaleTimeString()}.` : "";
    reasonBox.replaceChildren(...[h("strong", {}, told.message + until), told.action ? h("p", {}, told.action) : null,
      told.code === "reauthorization" ? reconnect(state.connection_id) : null].filter(Boolean));
    reasonBox.dataset.status = state.status;
  }
  const tries = state.attempt > 1 ? ` This is attempt ${state.attempt}: each goes on from the last checkpoint.` : "";
  const leaving = state.status === "paused" ? "Nothing is lost while it is paused."
    : "You can leave this page: it goes on without you.";
  say(leaveNote, over ? tries.trim() : leaving + tries);
}

function stageRow(stage) {
  return h("li.stage", {},
    h("div.stage-name", {}, h("span", {}, stage.title), h("span.quiet.amount", {})),
    h("div.track", {
      role: "progressbar", "aria-label": stage.title, "aria-valuemin": 0, "aria-valuemax": 100,
    }, h("div.water", {})));
}

function drawStage(element, stage) {
  const { done, total: of, final: sure, status } = stage;
  const track = element.querySelector(".track");
  const amount = of === null || of === undefined ? number(done)
    : `${number(done)} of ${sure ? "" : "at least "}${number(of)}`;
  const share = status === "done" ? 100 : of ? Math.min(99, Math.floor((100 * done) / of)) : 0;
  element.dataset.status = status;
  say(element.querySelector(".amount"), status === "pending" ? "" : amount);
  element.querySelector(".water").style.inlineSize = `${share}%`;
  if (of || status === "done") track.setAttribute("aria-valuenow", share);
  else track.removeAttribute("aria-valuenow");
  track.setAttribute("aria-valuetext", `${stage.title}: ${amount}`);
  track.dataset.countable = String(Boolean(of) || status !== "active");
}

function drawFigures(list, state) {
  const { counts = {} } = state;
  const shown = [
    ["Found", number(counts.found)],
    ["Processed", number(counts.processed)],
    ["Unchanged", number(counts.unchanged)],
    ["Skipped", number(total(counts.skipped))],
    ["Failed", number(total(counts.failed))],
    ["Searchable", number(state.searchable)],
    ["Fetched", bytes(counts.bytes)],
    ["Speed", state.rate ? `${number(Math.round(state.rate))}/s` : "–"],
    ["Time left", OVER.has(state.status) ? "–" : eta(state.eta) ?? "not known yet"],
  ];
  rows(list, shown, ([name]) => name, ([name]) => h("div", {}, h("dt", {}, name), h("dd", {})));
  shown.forEach(([, value], at) => say(list.children[at].lastChild, value));
}

function drawLatest(sheet, list, state) {
  const items = state.latest ?? [];
  sheet.hidden = items.length === 0;
  say(sheet.querySelector("h2"), OVER.has(state.status) ? "Made searchable last" : "You can already search");
  say(sheet.querySelector(".lead"), state.reader?.note ?? "");
  rows(list, items, (item) => item.id, (item) => h("li", {},
    h("strong", {}, item.title), item.path && item.path !== item.title ? h("code", {}, item.path) : null,
    item.summary ? h("p.quiet", {}, item.summary) : null));
}

/** How often a model was asked, which one, and what it cost, if that is known. */
function asked({ counts, reader }) {
  const cost = counts.cost_nanos ? `, $${(counts.cost_nanos / 1e9).toFixed(4)}` : "";
  const calls = reader?.model ? `calls of ${reader.model}` : "model calls";
  return `${number(counts.model_calls)} ${calls}${cost}`;
}

async function drawReceipt(sheet, id) {
  sheet.hidden = false;
  let receipt;
  try {
    receipt = await api.receipt(id);
  } catch (problem) {
    sheet.replaceChildren(h("h2", {}, "Receipt"), h("p.problem", {}, problem.message));
    return;
  }
  const { counts } = receipt;
  const parts = [
    `${number(counts.processed)} processed`, `${number(counts.unchanged)} unchanged`,
    `${number(total(counts.skipped))} skipped`, `${number(total(counts.failed))} failed`,
  ];
  const unread = total(counts.unread);
  const gone = counts.deleted ? ` ${number(counts.deleted)} that left the source were removed.` : "";
  sheet.replaceChildren(
    h("h2", {}, "Receipt"),
    h("p.sum", {}, `${number(counts.found)} found = ${parts.join(" + ")}`,
      h("span.check", { "data-well": String(receipt.adds_up) }, receipt.adds_up ? "adds up" : "does not add up")),
    h("p.quiet", {}, `${span(receipt.seconds)}, ${number(counts.chunks)} chunks, ${number(counts.tokens)} tokens, `
      + `${asked(receipt)}. The index holds ${number(receipt.index.artifacts)} artifacts `
      + `in ${number(receipt.index.chunks)} chunks.${gone}`),
    ...(unread ? [
      h("p", {}, `No model could read ${number(unread)} of those processed: ${summary(counts.unread)}.`),
      h("ol.failures", {}, receipt.unread.map(failureRow)),
    ] : []));
}

