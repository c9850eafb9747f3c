// The api, as promises. A refusal is a Problem with what is wrong and what to do (RFC 9457).

export class Problem extends Error {
  constructor(body, status) {
    super(body.detail || body.title || `The server answered ${status}.`);
    this.action = body.action ?? null;
    this.errors = body.errors ?? [];
    this.status = status;
  }
}

// Who we are, where the server asks for it: a token of fifteen minutes, made with a key that somebody
// typed. Both live as long as this page, and nowhere else: no cookie, no storage, no URL.
const MAY = ["connections:read", "connections:write", "runs:read", "runs:write", "search:read"];
let key = null;
let token = null;

export async function signIn(secret) {
  token = null;
  const made = await send("v1/client-tokens", {
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/json", authorization: `Bearer ${secret}` },
    body: JSON.stringify({ owner: null, scopes: MAY, origin: location.origin }),
  });
  key = secret;
  token = made.token;
}

export async function ask(path, options = {}) {
  try {
    return await send(path, options);
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    if (key === null) {
      dispatchEvent(new Event("headwater:unknown"));
      throw problem;
    }
  }
  await signIn(key); // the token is over; a key that opens nothing any more says so
  return send(path, options);
}

// What a stream's address carries where headers cannot be set: good for one opening, within a minute.
export async function ticket(run) {
  if (token === null) return "";
  return (await post(`v1/runs/${encodeURIComponent(run)}/ticket`)).ticket;
}

async function send(path, options) {
  const known = token === null ? {} : { authorization: `Bearer ${token}` };
  let response;
  try {
    response = await fetch(path, { ...options, headers: { accept: "application/json", ...known, ...options.headers } });
  } catch {
    throw new Problem({ detail: "The server does not answer.", action: "Check that `headwater up` runs." }, 0);
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(body, response.status);
  return body;
}

export const post = (path, body) => ask(path, {
  method: "POST",
  headers: { accept: "application/json", "content-type": "application/json" },
  body: JSON.stringify(body ?? {}),
});

export const put = (path, body) => ask(path, {
  method: "PUT",
  headers: { accept: "application/json", "content-type": "application/json" },
  body: JSON.stringify(body),
});

const query = (values) => new URLSearchParams(
  Object.entries(values).filter(([, value]) => value !== null && value !== undefined),
).toString();

export const api = {
  connect: (kind, config) => post("v1/connections", { kind, config }),
  connecting: (wanted) => post("v1/connect-sessions", wanted),
  connection: (id) => ask(`v1/connections/${id}`),
  connections: (cursor) => ask(`v1/connections?${query({ cursor, limit: 50 })}`),
  freshness: (id) => ask(`v1/connections/${id}/freshness`),
  schedule: (id) => ask(`v1/connections/${id}/schedule`),
  setSchedule: (id, wanted) => put(`v1/connections/${id}/schedule`, wanted),
  askSchedule: (id, what) => post(`v1/connections/${id}/schedule/${what}`),
  removeSchedule: (id) => ask(`v1/connections/${id}/schedule`, { method: "DELETE" }),
  deletions: (connection_id) => ask(`v1/deletions?${query({ connection_id, limit: 50 })}`),
  deletion: (id) => ask(`v1/deletions/${id}`),
  decide: (id, what) => post(`v1/deletions/${id}/${what}`),
  erase: (id) => ask(`v1/connections/${id}`, { method: "DELETE" }),
  start: (connection) => post(`v1/connections/${connection}/runs`),
  runs: () => ask("v1/runs?limit=20"),
  run: (id) => ask(`v1/runs/${id}`),
  ask: (id, what) => post(`v1/runs/${id}/${what}`),
  answer: (id, question, answer) => post(`v1/runs/${id}/input`, { question, answer }),
  retryFailed: (id) => post(`v1/runs/${id}/retry-failed`),
  receipt: (id) => ask(`v1/runs/${id}/receipt`),
  artifacts: (id, status, cursor) => ask(`v1/runs/${id}/artifacts?${query({ status, cursor, limit: 50 })}`),
  search: (q) => ask(`v1/search?${query({ q, limit: 20 })}`),
  ready: () => ask("readyz"),
};
