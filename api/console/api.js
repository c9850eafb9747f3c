// The api, as promises. A refusal is a Problem with what is wrong and what to do (RFC 9457).

export class Problem extends Error {
  constructor(body, status) {
    super(body.detail || body.title || `The server answered ${status}.`);
    this.action = body.action ?? null;
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { headers: { accept: "application/json", ...options.headers }, ...options });
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
  retryFailed: (id) => post(`v1/runs/${id}/retry-failed`),
  receipt: (id) => ask(`v1/runs/${id}/receipt`),
  artifacts: (id, status, cursor) => ask(`v1/runs/${id}/artifacts?${query({ status, cursor, limit: 50 })}`),
  search: (q) => ask(`v1/search?${query({ q, limit: 20 })}`),
  ready: () => ask("readyz"),
};
