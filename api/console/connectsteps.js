// What each step of the connect page asks. A step answers the elements under its title.

import { ask, post } from "./api.js";
import { h } from "./dom.js";
import { bytes, number } from "./format.js";

export function chooseSource(page, state) {
  return [h("ul.sources", {}, ...state.sources.map((source) => h("li", {},
    h("button.source", { type: "button", onclick: (event) => page.choose(source.kind, event.currentTarget) },
      h("strong", {}, source.title), h("span.quiet", {}, source.description)))))];
}

export function consent(page, { id, source }) {
  const { provider, title, permissions } = source.consent;
  return [
    h("p", {}, `${title} will ask you whether Headwater may do this. It only reads, and you can take it back `
      + "at any time, here or there."),
    h("ul.permissions", {}, ...permissions.map((each) => h("li", {},
      h("span", {}, each.reason), " ",
      h("span.quiet", {}, h("code", {}, each.scope), each.required ? ", needed" : ", can be left out")))),
    h("p.choices", {}, another(page),
      h("a.button.primary", { href: `v1/oauth/${provider}/start?session=${id}` }, `Go on to ${title}`)),
    ...other(page, source),
  ];
}

/** A kind without an app at its provider, or for those who would rather paste something. */
export function credentials(page, { source }) {
  const way = source.forms.length ? form(page, source)
    : h("p.notice", {}, `Whoever runs this Headwater has not set up ${source.title} yet.`);
  return [way, h("p.choices", {}, another(page))];
}

function other(page, source) {
  if (!source.forms.some((kind) => kind !== "none" && kind !== "installation")) return [];
  return [h("details", {}, h("summary", {}, "Or give a token or password"), form(page, source))];
}

function form(page, source) {
  const fields = configFields(source.config_schema);
  const secret = secretFields(source.forms);
  const button = h("button.primary", { type: "submit" }, "Connect");
  const submit = (event) => {
    event.preventDefault();
    const config = Object.fromEntries(fields.flatMap((each) => each.value()));
    const body = { config, credential: secret.value() };
    page.does(button, () => post(page.path("/connection"), body));
  };
  return h("form.fields", { onsubmit: submit }, ...fields.map((each) => each.element), ...secret.elements,
    h("p.choices", {}, button));
}

/** One field for each text that has to be stated; the rest has defaults. */
function configFields(schema) {
  return (schema.required ?? []).map((name) => {
    const about = schema.properties[name];
    const kind = about.type === "integer" ? "number" : "text";
    const input = h("input", {
      id: `config-${name}`, type: kind, required: true, autocomplete: "off", spellcheck: "false",
      placeholder: about.examples?.[0] ?? "", "aria-describedby": `help-${name}`,
    });
    return {
      element: h("p.field", {}, h("label", { for: `config-${name}` }, about.title ?? name), input,
        h("span.quiet", { id: `help-${name}` }, about.description ?? "")),
      value: () => [[name, kind === "number" ? Number(input.value) : input.value.trim()]],
    };
  });
}

function secretFields(forms) {
  const optional = forms.includes("none");
  const field = (id, label, type, complete) => {
    const input = h("input", { id, type, required: !optional, autocomplete: complete, spellcheck: "false" });
    return [h("p.field", {}, h("label", { for: id }, label), input), input];
  };
  if (forms.includes("token")) {
    const [element, token] = field("token", optional ? "Token, if it is not public" : "Token", "password", "off");
    return { elements: [element], value: () => (token.value ? { kind: "token", token: token.value } : null) };
  }
  if (forms.includes("password")) {
    const [first, user] = field("user", "User", "text", "username");
    const [second, password] = field("password", "Password for this app", "password", "off");
    return {
      elements: [first, second],
      value: () => (user.value ? { kind: "password", user: user.value, password: password.value } : null),
    };
  }
  return { elements: [], value: () => null };
}

export function select(page, state) {
  const list = h("ul.scopes", { "aria-label": "What there is" });
  const sum = h("p.sum", { role: "status" }, "Looking what there is …");
  const start = h("button.primary", { type: "button", disabled: true }, "Start");
  let boxes = [];
  let latest = 0;
  const chosen = () => (boxes.length ? boxes.filter((box) => box.checked).map((box) => box.value) : null);

  async function estimate() {
    const mine = (latest += 1);
    start.disabled = true;
    if (boxes.length && !chosen().length) { sum.textContent = "Nothing is chosen."; return; }
    sum.textContent = "Estimating …";
    try {
      const plan = await post(page.path("/estimate"), { chosen: chosen() });
      if (mine !== latest) return;
      sum.textContent = worded(plan);
      start.disabled = false;
    } catch (error) {
      if (mine !== latest) return;
      sum.textContent = "";
      page.say(error);
    }
  }

  async function look() {
    try {
      const { items, more, narrows } = await ask(page.path("/scopes"));
      boxes = narrows ? items.map((item) => h("input", {
        type: "checkbox", value: item.key, checked: items.length === 1, onchange: estimate,
      })) : [];
      list.replaceChildren(...items.map((item, at) => h("li", {}, h("label.choice", {}, boxes[at] ?? null,
        h("strong", {}, item.title), h("span.quiet", {}, amount(item))))),
      ...(more ? [h("li.quiet", {}, "There is more than is shown here.")] : []));
      await estimate();
    } catch (error) {
      sum.textContent = "";
      page.say(error);
    }
  }

  start.addEventListener("click", () => page.does(start, () => post(page.path("/start"), { chosen: chosen() })));
  look();
  return [
    h("p", {}, `${state.connection.title} is connected. Nothing has been read yet.`), list, sum,
    h("p.choices", {}, another(page), start),
  ];
}

function amount(item) {
  return [item.detail, item.artifacts === null ? null : `${number(item.artifacts)} artifacts`,
    item.size_bytes === null ? null : bytes(item.size_bytes)].filter(Boolean).join(", ");
}

function worded(plan) {
  const parts = [];
  if (plan.artifacts || plan.counted) {
    parts.push(`${plan.counted ? "" : "at least "}${number(plan.artifacts)} artifacts`);
  }
  if (plan.size_bytes) parts.push(`${plan.weighed ? "" : "at least "}${bytes(plan.size_bytes)}`);
  if (plan.calls !== null) parts.push(`about ${number(plan.calls)} requests`);
  return parts.length ? `That is ${parts.join(", ")}.` : "How much it is shows while it is read.";
}

export function started(page, state) {
  return [
    state.run_id
      ? h("p", {}, "You may close this page: it goes on by itself.")
      : h("p", {}, "Nothing waits for it. The next ingestion uses it."),
    h("p.choices", {},
      state.return_to ? h("a.button", { href: state.return_to }, "Back to where you came from") : null,
      state.run_id ? h("a.button.primary", { href: `.#/runs/${state.run_id}` }, "Watch it") : null),
  ];
}

function another(page) {
  return h("button", { type: "button", onclick: (event) => page.choose(null, event.currentTarget) }, "Choose another source");
}
