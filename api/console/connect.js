// The connect page: one owner's way from choosing a source to its first run. Where one has come to is
// kept by the server, so a reload, or the way back from a provider, shows the same.

import { ask, post } from "./api.js";
import { chooseSource, consent, credentials, select, started } from "./connectsteps.js";
import { announce, h } from "./dom.js";

const main = document.getElementById("main");
const LOST = {
  consent: ["This consent was used before, took longer than ten minutes, or was begun in another browser.",
    "Nothing was connected. Open your link again and go on from there."],
  browser: ["This browser is not the one in which connecting was begun, or it keeps no cookies.",
    "Nothing was connected. Open your link again and go on from there."],
  session: ["This link was opened in another browser, or is older than an hour.",
    "Ask for a new link where you got this one."],
};
const TITLES = {
  choosing: "What should be connected?", consenting: "Allow it to be read",
  selecting: "What should be ingested?", started: "It is on its way",
};
const STEPS = Object.keys(TITLES);

class Page {
  constructor(session) {
    this.session = session;
    this.problem = h("p.problem", { role: "alert", hidden: true });
  }

  path(rest = "") { return `connect/api/${this.session}${rest}`; }

  /** Do what was asked, once, and show what came of it; what went wrong stays on the page. */
  async does(button, what) {
    this.problem.hidden = true;
    if (button) button.disabled = true;
    try {
      const state = await what();
      if (state) this.show(state);
    } catch (error) {
      this.say(error);
    } finally {
      if (button) button.disabled = false;
    }
  }

  say(error) {
    this.problem.replaceChildren(h("strong", {}, error.message), error.action ? ` ${error.action}` : "");
    this.problem.hidden = false;
  }

  async load() {
    try {
      this.show(await ask(this.path()));
    } catch (error) {
      lost(error.message, error.action);
    }
  }

  show(state) {
    const body = this.step(state);
    const title = TITLES[state.step];
    this.problem.hidden = true;
    main.replaceChildren(h("section.sheet.hero", { "aria-labelledby": "step" },
      steps(state), notice(state.notice), h("h1", { id: "step" }, title), ...body, this.problem));
    document.title = `${title} · Headwater`;
    announce(state.notice ? state.notice.message : title, { urgent: true });
    main.focus({ preventScroll: true });
  }

  step(state) {
    switch (state.step) {
      case "choosing": return chooseSource(this, state);
      case "consenting": return state.source.consent ? consent(this, state) : credentials(this, state);
      case "selecting": return select(this, state);
      default: return started(this, state);
    }
  }

  choose(kind, button) {
    return this.does(button, () => post(this.path("/source"), { kind }));
  }
}

function steps(state) {
  const at = STEPS.indexOf(state.step);
  return h("p.quiet.where", {}, `Step ${at + 1} of ${STEPS.length}`,
    state.source ? ` · ${state.source.title}` : "", state.connection ? ` · ${state.connection.title}` : "");
}

function notice(said) {
  if (!said) return null;
  return h("p.notice", { "data-notice": said.code }, h("strong", {}, said.message), " ", said.action);
}

function lost(message, action) {
  main.replaceChildren(h("section.sheet.hero", {}, h("h1", {}, "This does not lead on"),
    h("p.notice", { role: "alert" }, h("strong", {}, message), " ", action ?? "")));
}

async function begin() {
  const [session, secret] = location.hash.slice(1).split(".");
  const query = new URLSearchParams(location.search);
  if (secret) {
    try {
      await post(`connect/api/${session}/enter`, { secret });
    } catch (error) {
      return lost(error.message, error.action);
    }
    // The secret has done its work: it stays in no history and no bookmark.
    history.replaceState(null, "", `connect?session=${session}`);
    return new Page(session).load();
  }
  if (query.has("session")) return new Page(query.get("session")).load();
  return lost(...(LOST[query.get("problem")] ?? LOST.session));
}

window.addEventListener("pageshow", (event) => { if (event.persisted) begin(); });
begin();

