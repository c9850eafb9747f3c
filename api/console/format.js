// Numbers, spans and states in plain words.

const whole = new Intl.NumberFormat();
const brief = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

export const number = (value) => whole.format(value ?? 0);

export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let rest = value ?? 0;
  let unit = 0;
  while (rest >= 1000 && unit < units.length - 1) { rest /= 1000; unit += 1; }
  return `${brief.format(rest)} ${units[unit]}`;
}

export function span(seconds) {
  if (seconds < 1) return "under a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${brief.format(seconds / 3600)} h`;
}

/** An ETA is a range: "3–5 min", never a promise to the second. */
export function eta(range) {
  if (!range) return null;
  const [low, high] = [span(range.low_seconds), span(range.high_seconds)];
  const [from, unit] = low.split(" ");
  if (low === high) return low;
  return high.endsWith(` ${unit}`) ? `${from}–${high}` : `${low} – ${high}`;
}

export const STATUS = {
  queued: "Queued", running: "Running", waiting: "Waiting", paused: "Paused",
  succeeded: "Ready", succeeded_with_failures: "Ready, with failures",
  failed: "Failed", cancelled: "Cancelled",
};

export const OVER = new Set(["succeeded", "succeeded_with_failures", "failed", "cancelled"]);

const REASONS = {
  binary: "binary", generated: "generated", vendored: "vendored", too_large: "too large",
  secret: "may bear secrets", empty: "empty", ignored: "ignored by the source's own rules",
  link: "symbolic links", submodule: "submodules", lfs_pointer: "stored elsewhere (LFS)",
  special: "not regular files", bulk: "sent in bulk", encrypted: "behind a password",
  unreadable: "damaged", forbidden: "not ours to download",
  access_lost: "not shared any more",
};

export const reason = (code) => REASONS[code] ?? code.replaceAll("_", " ");

export const total = (map) => Object.values(map ?? {}).reduce((sum, value) => sum + value, 0);

export function ago(moment) {
  const seconds = (Date.now() - new Date(moment).getTime()) / 1000;
  if (seconds < 45) return "just now";
  if (seconds < 86400) return `${span(seconds)} ago`;
  return new Date(moment).toLocaleDateString();
}

/** A moment that may be to come, as a person says it. */
export function when(moment) {
  return new Date(moment).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
