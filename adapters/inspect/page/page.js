// Keeps a page up to date: the server says when it may have changed, and the page is fetched again. Everything works
// without this script too.
"use strict";

const url = document.body.dataset.events;
const connection = document.getElementById("connection");
let source = null;
let loading = false;
let again = false;
let request = new AbortController();
let leaving = false; // a form is on its way, after which what this page shows may be gone

function say(text) {
  if (connection && connection.textContent !== text) connection.textContent = text;
}

// What the reader has opened, written or stands on is kept: it is found again by what it is, in the order of the page.
function remember(live) {
  const active = document.activeElement;
  const focusable = [...live.querySelectorAll("a, button, summary, input, [tabindex]")];
  const index = focusable.indexOf(active);
  return {
    focus: index < 0 ? null : { label: labelOf(active), nth: focusable.slice(0, index).filter((e) => labelOf(e) === labelOf(active)).length },
    open: [...live.querySelectorAll("details")].map((e) => e.open),
    scroll: [...live.querySelectorAll(".scroll")].map((e) => e.scrollLeft),
    filter: live.querySelector("#filter")?.value,
  };
}

function labelOf(element) {
  return element.tagName + "|" + (element.getAttribute("href") || "") + "|" + element.textContent.trim() + "|" + (element.id || element.name || "");
}

function restore(live, kept) {
  const details = [...live.querySelectorAll("details")];
  if (details.length === kept.open.length) details.forEach((e, i) => { e.open = kept.open[i]; });
  [...live.querySelectorAll(".scroll")].forEach((e, i) => { e.scrollLeft = kept.scroll[i] || 0; });
  const filter = live.querySelector("#filter");
  if (filter && kept.filter !== undefined) filter.value = kept.filter;
  if (!kept.focus) return;
  const same = [...live.querySelectorAll("a, button, summary, input, [tabindex]")].filter((e) => labelOf(e) === kept.focus.label);
  same[kept.focus.nth]?.focus({ preventScroll: true });
}

async function load() {
  if (leaving) return;
  if (loading) { again = true; return; }
  loading = true;
  try {
    const response = await fetch(location.href, { headers: { "X-Live": "1" }, redirect: "error", signal: request.signal });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    show(page);
  } catch {
    if (!leaving) say("Not connected");
  }
  loading = false;
  if (again) { again = false; load(); }
}

function show(page) {
  const fresh = page.getElementById("live");
  const live = document.getElementById("live");
  if (!fresh || fresh.innerHTML === live.innerHTML) return;
  const kept = remember(live);
  live.replaceChildren(...document.importNode(fresh, true).childNodes);
  restore(live, kept);
  if (page.body.dataset.events === undefined && source) close();
}

function close() {
  source?.close();
  source = null;
}

function open() {
  if (source) return;
  source = new EventSource(url);
  source.addEventListener("open", () => say("Live"));
  source.addEventListener("error", () => say("Not connected"));
  source.addEventListener("changed", load);
}

document.addEventListener("submit", () => {
  leaving = true;
  request.abort();
});

window.addEventListener("pageshow", () => { // also where the reader has come back to it
  leaving = false;
  request = new AbortController();
});

if (url) {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { close(); return; }
    open();
    load();
  });
  if (!document.hidden) open();
}
