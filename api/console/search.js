// What was ingested, found again: with file and lines.

import { api } from "./api.js";
import { h } from "./dom.js";
import { number } from "./format.js";

export function searchPage(text) {
  const results = h("section.sheet", { "aria-live": "polite", "aria-busy": "true" }, h("p.quiet", {}, "Searching…"));
  if (text) load(text, results);
  else results.replaceChildren(h("p", {}, "Type a question or some words above."));
  return { title: text || "Search", element: h("div.page", {}, results) };
}

async function load(text, results) {
  try {
    const { items } = await api.search(text);
    results.replaceChildren(
      h("h1", {}, items.length ? `${number(items.length)} results for “${text}”` : `Nothing found for “${text}”`),
      items.length ? h("ol.hits", {}, items.map(hit))
        : h("p.quiet", {}, "Try other words, or ingest more. What is being ingested now appears as it is read."));
  } catch (problem) {
    results.replaceChildren(h("p.problem", {}, h("strong", {}, problem.message), ` ${problem.action ?? ""}`));
  }
  results.setAttribute("aria-busy", "false");
}

function hit(item) {
  const place = `${item.path ?? item.title}:${item.start_line}-${item.end_line}`;
  return h("li.hit", {},
    h("h3", {}, item.url ? h("a", { href: item.url, rel: "noreferrer" }, place) : place,
      item.symbol ? h("span.quiet", {}, item.symbol) : null),
    h("pre", { tabindex: 0 }, item.snippet),
    item.summary ? h("p.quiet", {}, item.summary) : null);
}
