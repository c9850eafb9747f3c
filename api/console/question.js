// What a run asks: a form made from the answer's JSON Schema. The server says whether it is one.

import { api } from "./api.js";
import { announce, h, hide, say } from "./dom.js";
import { field, jsonField, resolved } from "./fields.js";

/** Drawn anew only when another thing is asked, so that nothing that was typed is lost. */
export function questionForm(run) {
  const element = h("form.question.fields", { "aria-labelledby": "question", hidden: true, onsubmit: submit });
  const trouble = h("p.problem", { role: "alert", hidden: true });
  let fields = [];
  let question = null;
  let drawn = "";
  let busy = false;

  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    busy = true;
    element.setAttribute("aria-busy", "true");
    trouble.hidden = true;
    for (const each of fields) each.wrong("");
    try {
      await api.answer(run, question.name, answer());
      announce("Answered. It goes on.", { urgent: true });
      hide(element, true);
    } catch (problem) {
      refused(problem);
    } finally {
      busy = false;
      element.removeAttribute("aria-busy");
    }
  }

  function answer() {
    if (fields.length === 1 && fields[0].name === null) return fields[0].value();
    return Object.fromEntries(fields.map((each) => [each.name, each.value()]).filter(([, value]) => value !== undefined));
  }

  /** What is wrong is said at its field, and the first of them gets the focus. */
  function refused(problem) {
    const errors = problem.errors ?? [];
    const wrong = fields.filter((each) => errors.some(({ field: at }) => about(at, each)));
    for (const each of wrong) each.wrong(errors.filter(({ field: at }) => about(at, each)).map(({ message }) => message).join("; "));
    const others = errors.filter(({ field: at }) => !fields.some((each) => about(at, each))).map(({ message }) => message);
    trouble.replaceChildren(h("strong", {}, problem.message), ` ${others.join("; ") || (wrong.length ? "" : problem.action ?? "")}`);
    trouble.hidden = false;
    wrong[0]?.focus();
  }

  function show(message) {
    fields = made(question.answer_schema);
    const button = h("button.primary", { type: "submit" }, "Answer");
    element.replaceChildren(
      h("h2", { id: "question" }, message), ...told(question.about),
      ...fields.map((each) => each.element), trouble, h("p.choices", {}, button));
    trouble.hidden = true;
    announce(`It asks: ${message}`, { urgent: true });
  }

  return {
    element,
    draw(state) {
      question = state.status === "waiting" ? state.reason?.question ?? null : null;
      const asked = question === null ? "" : JSON.stringify([question, state.reason.message]);
      if (asked && asked !== drawn) show(state.reason.message);
      if (asked !== drawn) hide(element, !asked);
      drawn = asked;
    },
  };
}

const about = (at, each) => at === each.name || at.startsWith(`${each.name}.`);

function made(schema) {
  const names = Object.keys(schema.properties ?? {});
  if (names.length === 0) return [jsonField({ name: null, label: "Answer, as JSON", id: "answer-0", about: schema, needed: true })];
  return names.map((name, at) => field({
    name, id: `answer-${at}`, about: resolved(schema.properties[name], schema),
    needed: (schema.required ?? []).includes(name),
  }));
}

function told(what) {
  if (what === null || what === undefined) return [];
  if (typeof what === "string") return [h("p", {}, what)];
  return [h("pre.about", { tabindex: 0, role: "region", "aria-label": "What it is about" }, JSON.stringify(what, null, 2))];
}
