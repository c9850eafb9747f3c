// A run as it happens. The state is a snapshot plus the patches of what followed: see docs/events.md.

import { ticket } from "./api.js";

/**
 * Follow a run until it is over or `close()` is called on the answer.
 *
 * A reload starts with a fresh snapshot. A broken connection is resumed by the browser with
 * Last-Event-ID, so that nothing is missed; when the browser gives up (it does on any answer that is
 * not a stream), we begin again from the last event we saw, without ever giving up ourselves.
 */
export function follow(run, { onState, onEvent, onLink }) {
  let state = null;
  let seq = null;
  let source = null;
  let timer = null;
  let failures = 0;
  let closed = false;

  async function open() {
    let pass;
    try {
      pass = await ticket(run);
    } catch {
      again();
      return;
    }
    if (closed) return;
    const asked = new URLSearchParams({ ...(seq === null ? {} : { cursor: seq }), ...(pass ? { ticket: pass } : {}) });
    source = new EventSource(`v1/runs/${encodeURIComponent(run)}/events?${asked}`);
    source.addEventListener("open", () => { failures = 0; onLink("live"); });
    source.addEventListener("snapshot", (message) => {
      const frame = JSON.parse(message.data);
      ({ state, seq } = frame);
      onLink("live"); // also after a gap: the picture is whole again
      onState(state);
      if (frame.ended) end();
    });
    source.addEventListener("event", (message) => {
      const frame = JSON.parse(message.data);
      if (state === null || frame.seq <= seq) return;
      state = { ...state, ...frame.patch };
      seq = frame.seq;
      onEvent?.(frame);
      onState(state);
      if (/^run\.(succeeded|succeeded_with_failures|failed|cancelled)$/.test(frame.kind)) end();
    });
    source.addEventListener("gap", () => onLink("repairing"));
    source.addEventListener("goodbye", () => onLink("reconnecting"));
    source.addEventListener("error", lost);
  }

  function lost() {
    if (closed) return;
    onLink("reconnecting");
    // The browser is already at it, unless there is no place to go on from but the one in the URL.
    if (source.readyState !== EventSource.CLOSED && seq !== null) return;
    source.close();
    again();
  }

  function again() {
    if (closed) return;
    failures += 1;
    const wait = Math.min(15000, 500 * 2 ** failures) * (0.5 + Math.random() / 2);
    timer = setTimeout(open, wait);
  }

  function end() {
    close();
    onLink("over");
  }

  function close() {
    closed = true;
    clearTimeout(timer);
    source?.close();
  }

  open();
  return { close };
}
