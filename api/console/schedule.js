// When a connection is ingested by itself: look at it, set it, pause it, take it away.

import { api } from "./api.js";
import { announce, h, rows, say } from "./dom.js";
import { span, when } from "./format.js";

const HOUR = 3600;
const OWN = "own";
const CHOICES = [["", "Only when asked"], [HOUR, "Every hour"], [6 * HOUR, "Every 6 hours"],
  [24 * HOUR, "Every day"], [7 * 24 * HOUR, "Every week"], [OWN, "At times of my own"]];

export function scheduleSheet(id) {
  const told = h("p", { role: "status" }, "Looking …");
  const held = h("p.notice", { hidden: true });
  const ticks = h("ol.items", { "aria-label": "Latest times" });
  const trouble = h("p.problem", { role: "alert", hidden: true });
  const pause = h("button", { type: "button", hidden: true, onclick: () => once(toggle) }, "Pause");
  const form = chooser((wanted) => once(() => keep(wanted)));
  const element = h("section.sheet", { "aria-labelledby": "schedule" },
    h("h2", { id: "schedule" }, "By itself"), told, held, form.element, trouble,
    h("p.choices", {}, pause), ticks);
  let schedule = null;

  async function once(work) {
    trouble.hidden = true;
    element.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (problem) {
      trouble.replaceChildren(h("strong", {}, problem.message), problem.action ? ` ${problem.action}` : "");
      trouble.hidden = false;
    } finally {
      element.removeAttribute("aria-busy");
    }
  }

  async function keep(wanted) {
    if (wanted) await api.setSchedule(id, wanted);
    else await api.removeSchedule(id);
    await load();
    announce(told.textContent, { urgent: true });
  }

  async function toggle() {
    await api.askSchedule(id, schedule.paused ? "resume" : "pause");
    await load();
    announce(told.textContent, { urgent: true });
  }

  async function load() {
    schedule = await api.schedule(id).catch((problem) => {
      if (problem.status === 404) return null;
      throw problem;
    });
    say(told, worded(schedule));
    held.hidden = !schedule?.held;
    if (schedule?.held) say(held, `${schedule.held.message} ${schedule.held.action}`);
    pause.hidden = !schedule;
    say(pause, schedule?.paused ? "Resume" : "Pause");
    form.show(schedule);
    rows(ticks, schedule?.recent ?? [], (tick) => tick.due_at, tickRow);
  }

  once(load);
  return element;
}

function worded(schedule) {
  if (!schedule) return "It is ingested only when somebody asks for it.";
  const often = schedule.cron ? `At ${schedule.cron} (${schedule.time_zone})`
    : `Every ${span(schedule.interval_seconds)}`;
  if (schedule.paused) return `${often}; paused.`;
  return schedule.next_at ? `${often}; next ${when(schedule.next_at)}.` : `${often}.`;
}

function tickRow(tick) {
  const done = tick.outcome === "started" ? "started a run" : "skipped, for a run was at it";
  const missed = tick.missed ? `, and stands for ${tick.missed} that were missed` : "";
  return h("li", {}, h("time", { datetime: tick.due_at }, when(tick.due_at)), " ",
    tick.run_id ? h("a", { href: `#/runs/${tick.run_id}` }, done) : done, missed);
}

function chooser(submit) {
  const select = h("select", { id: "often", onchange: shown },
    ...CHOICES.map(([value, text]) => h("option", { value }, text)));
  const cron = h("input", {
    id: "cron", maxlength: 200, autocomplete: "off", spellcheck: "false", placeholder: "0 6 * * 1-5",
    "aria-describedby": "cron-help",
  });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
  const own = h("p.field", { hidden: true }, h("label", { for: "cron" }, "Cron expression"), cron,
    h("span.quiet", { id: "cron-help" }, `Minute, hour, day, month, weekday, in ${zone}.`));
  // Not before it is known what there is: what was chosen meanwhile would be lost.
  const element = h("form.fields", { onsubmit: keep, hidden: true },
    h("p.field", {}, h("label", { for: "often" }, "How often"), select), own,
    h("p.choices", {}, h("button.primary", { type: "submit" }, "Keep")));

  function shown() { own.hidden = select.value !== OWN; }

  function keep(event) {
    event.preventDefault();
    if (select.value === OWN) submit({ cron: cron.value.trim(), time_zone: zone });
    else submit(select.value ? { interval_seconds: Number(select.value) } : null);
  }

  return {
    element,
    show(schedule) {
      const known = CHOICES.some(([value]) => value === schedule?.interval_seconds);
      if (!schedule) select.value = "";
      else if (schedule.cron) { select.value = OWN; cron.value = schedule.cron; }
      else if (known) select.value = String(schedule.interval_seconds);
      else {
        const { interval_seconds: value } = schedule;
        select.append(h("option", { value }, `Every ${span(value)}`));
        select.value = String(value);
      }
      shown();
      element.hidden = false;
    },
  };
}
