// What did not make it into the index, grouped by reason, with names on demand.

import { api } from "./api.js";
import { h, rows, say } from "./dom.js";
import { number, reason, total } from "./format.js";

/** Failures, each with what its user can do. The newest are in the state, all of them in the api. */
export function failureList(run) {
  const heading = h("h2", {});
  const groups = h("p.quiet", {});
  const list = h("ol.failures", {});
  const element = h("section.sheet", { hidden: true, "aria-label": "Failures" }, heading, groups, list,
    more(run, "failed", failureRow));
  return {
    element,
    draw(state) {
      const failed = state.counts?.failed ?? {};
      element.hidden = total(failed) === 0;
      say(heading, `${number(total(failed))} failed`);
      say(groups, summary(failed));
      rows(list, state.failures ?? [], (item) => `${item.title} ${item.stage}`, failureRow);
    },
  };
}

/** Skips by reason: nothing is left out in silence. */
export function skipList(run) {
  const heading = h("h2", {});
  const groups = h("p.quiet", {});
  const element = h("section.sheet", { hidden: true, "aria-label": "Skipped" }, heading, groups,
    more(run, "skipped", (item) => h("li", {}, h("strong", {}, item.title),
      h("span.quiet", {}, item.detail ?? reason(item.reason ?? "")))));
  return {
    element,
    draw(state) {
      const skipped = state.counts?.skipped ?? {};
      element.hidden = total(skipped) === 0;
      say(heading, `${number(total(skipped))} skipped`);
      say(groups, summary(skipped));
    },
  };
}

export function failureRow(item) {
  return h("li", {}, h("strong", {}, item.title), h("span", {}, item.detail ?? ""),
    item.action ? h("span.quiet", {}, item.action) : null);
}

export const summary = (map) => Object.entries(map).sort((one, other) => other[1] - one[1])
  .map(([code, count]) => `${number(count)} ${reason(code)}`).join(", ");

/** A button that lists all items of a status, a page at a time. */
function more(run, status, row) {
  const list = h("ol.items", {});
  const button = h("button", { type: "button", onclick: load }, "Show the names");
  let cursor = null;

  async function load() {
    button.disabled = true;
    try {
      const page = await api.artifacts(run, status, cursor);
      list.append(...page.items.map(row));
      cursor = page.next_cursor;
      say(button, cursor ? "Show more" : "That is all of them");
      button.disabled = cursor === null;
    } catch (problem) {
      say(button, `${problem.message} Try again`);
      button.disabled = false;
    }
  }

  return h("div.more", {}, list, button);
}
