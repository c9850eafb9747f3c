// The few helpers the pages are built with. Text is always set as text, never as markup.

/** Make an element: `h("p.note", { title: "…" }, "text", child)`. Null children are left out. */
export function h(selector, properties = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set text only where it changed, so that a selection or a screen reader is not disturbed. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Replace a list's rows, keeping the ones whose key stayed. */
export function rows(parent, items, key, make) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const name = String(key(item));
    const child = old.get(name) ?? make(item);
    child.dataset.key = name;
    return child;
  });
  const same = wanted.length === parent.children.length
    && wanted.every((child, at) => parent.children[at] === child);
  if (!same) parent.replaceChildren(...wanted);
}

let lastAnnouncement = 0;

/** Tell a screen reader, at most every five seconds unless it is urgent. */
export function announce(text, { urgent = false } = {}) {
  const now = Date.now();
  if (!urgent && now - lastAnnouncement < 5000) return;
  lastAnnouncement = now;
  say(document.getElementById("announcer"), text);
}

/** Hide a part; if the focus is in it, that goes to the page and is not lost. */
export function hide(control, hidden) {
  if (hidden && control.contains(document.activeElement)) document.getElementById("main").focus();
  control.hidden = hidden;
}
