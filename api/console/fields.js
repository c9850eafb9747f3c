// Fields of a form, each made from the JSON Schema of its value. `value()` is undefined where it is left out.

import { h, say } from "./dom.js";

/** With what it refers to in its place, and without the null that only says that it may be left out. */
export function resolved(about, schema) {
  const { $ref, ...rest } = about;
  const found = $ref ? { ...schema.$defs?.[$ref.replace("#/$defs/", "")], ...rest } : about;
  const choices = (found.anyOf ?? []).filter((each) => each.type !== "null");
  if (choices.length !== 1) return found;
  const { anyOf, ...outer } = found;
  return { ...resolved(choices[0], schema), ...outer };
}

export function field(given) {
  const { about } = given;
  const known = { ...given, label: about.title ?? given.name };
  if (about.enum?.every((each) => ["string", "number", "boolean"].includes(typeof each))) {
    return choice(known, about.enum.map((each) => [each, String(each)]));
  }
  if (about.type === "boolean") return choice(known, [[true, "Yes"], [false, "No"]]);
  if (about.type === "number" || about.type === "integer") return numeric(known);
  return about.type === "string" ? text(known) : jsonField(known);
}

function choice(given, options) {
  const { about, needed } = given;
  const select = h("select", { required: needed }, h("option", { value: "" }, needed ? "Choose" : "No answer"),
    ...options.map(([, label], at) => h("option", { value: at }, label)));
  const at = options.findIndex(([value]) => value === about.default);
  if (at >= 0) select.value = String(at);
  return framed(given, select, () => (select.value === "" ? undefined : options[Number(select.value)][0]));
}

function numeric(given) {
  const { about, needed } = given;
  const input = h("input", {
    type: "number", step: about.type === "integer" ? 1 : "any", required: needed,
    min: about.minimum, max: about.maximum, value: about.default,
  });
  return framed(given, input, () => (input.value === "" ? undefined : Number(input.value)));
}

function text(given) {
  const { about, needed } = given;
  const input = h(about.maxLength <= 200 || about.format ? "input" : "textarea", {
    type: about.format === "date" ? "date" : null, maxlength: about.maxLength, minlength: about.minLength,
    required: needed && about.minLength > 0, rows: 2,
  });
  input.value = about.default ?? "";
  return framed(given, input, () => (input.value === "" && !needed ? undefined : input.value));
}

export function jsonField(given) {
  const input = h("textarea.code", { rows: 4, required: given.needed, spellcheck: "false", autocomplete: "off" });
  if (given.about.default !== undefined && given.about.default !== null) input.value = JSON.stringify(given.about.default);
  return framed({ ...given, hint: "As JSON." }, input, () => {
    if (input.value.trim() === "") return undefined;
    try {
      return JSON.parse(input.value);
    } catch (error) {
      const problem = new Error(`${given.label} is not JSON.`);
      problem.errors = [{ field: given.name ?? "", message: error.message }];
      throw problem;
    }
  });
}

/** A label, the control, what helps with it, and what is wrong with it: all of it read with the control. */
function framed({ name, label, id, about, needed, hint = "" }, control, value) {
  const help = h("span.quiet", { id: `${id}-help` }, [about.description, hint, needed ? "" : "May be left out."].filter(Boolean).join(" "));
  const wrong = h("span.problem", { id: `${id}-wrong` });
  control.id = id;
  control.setAttribute("aria-describedby", `${help.id} ${wrong.id}`);
  return {
    name, value,
    element: h("p.field", {}, h("label", { for: id }, label), control, help, wrong),
    focus() { control.focus(); },
    wrong(message) {
      say(wrong, message);
      if (message) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    },
  };
}
