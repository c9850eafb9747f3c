// What a person can ask of a run: pause, go on, cancel, try again what failed.

import { api } from "./api.js";
import { announce, h, hide, say } from "./dom.js";
import { OVER, number, total } from "./format.js";

/** One button pauses and resumes, so that the keyboard's focus stays where it is. */
export function controls(run) {
  const pause = h("button", { type: "button", onclick: () => ask(paused ? "resume" : "pause") });
  const cancel = h("button", { type: "button", onclick: () => confirm.showModal() }, "Cancel");
  const retry = h("button", { type: "button", onclick: tryAgain });
  const trouble = h("p.problem", { role: "alert", hidden: true });
  const kept = h("p", {});
  const confirm = confirmation(kept, () => ask("cancel"));
  const element = h("div.controls", { role: "group", "aria-label": "Control the run", hidden: true },
    pause, cancel, retry, trouble, confirm);
  let paused = false;
  let busy = false;

  async function ask(what) {
    await once(async () => {
      const answer = await api.ask(run, what);
      announce(answer.wish ? WISHED[answer.wish] : SAID[what], { urgent: true });
    });
  }

  async function tryAgain() {
    await once(async () => {
      const started = await api.retryFailed(run);
      location.hash = `#/runs/${started.run.id}`;
    });
  }

  /** One request at a time. Not by `disabled`, which would throw the focus away. */
  async function once(work) {
    if (busy) return;
    busy = true;
    trouble.hidden = true;
    element.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (problem) {
      trouble.replaceChildren(h("strong", {}, problem.message), problem.action ? ` ${problem.action}` : "");
      trouble.hidden = false;
      element.hidden = false;
    } finally {
      busy = false;
      element.removeAttribute("aria-busy");
    }
  }

  return {
    element,
    draw(state) {
      const over = OVER.has(state.status);
      const failed = total(state.counts?.failed);
      const ending = over || state.wish === "cancel";
      paused = state.status === "paused" || state.wish === "pause";
      say(pause, paused ? "Resume" : "Pause");
      say(retry, `Retry failed (${number(failed)})`);
      say(kept, keeps(state));
      if (ending && confirm.open) confirm.close();
      hide(pause, ending);
      hide(cancel, ending);
      hide(retry, !over || failed === 0);
      element.hidden = [pause, cancel, retry, trouble].every((part) => part.hidden);
    },
  };
}

export const WISHED = { pause: "Pausing…", cancel: "Cancelling…" };

const SAID = { pause: "Paused", resume: "Going on", cancel: "Cancelled" };

function confirmation(kept, act) {
  const element = h("dialog.sheet", { "aria-labelledby": "cancel-title", onclose: closed },
    h("h2", { id: "cancel-title" }, "Cancel this run?"), kept,
    h("form.choices", { method: "dialog" },
      h("button", { value: "", autofocus: true }, "Keep it going"),
      h("button.danger", { value: "cancel" }, "Cancel the run")));

  function closed() {
    const chosen = element.returnValue;
    element.returnValue = "";
    if (chosen === "cancel") act();
  }

  return element;
}

function keeps(state) {
  const index = state.searchable
    ? `What is indexed is kept: ${number(state.searchable)} artifacts stay searchable.`
    : "Nothing is indexed yet.";
  return `${index} What is not done yet is left out; a new run goes on with it. To stop only for a while, pause.`;
}
