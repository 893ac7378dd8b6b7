// What has changed is fetched again: the part of the page that is marked data-live.
import { Stream } from "./stream.js";
import { tick } from "./times.js";

const REFRESH_MILLISECONDS = 250;

let refreshing = false;
let refreshAgain = false;

async function refresh(live) {
  if (refreshing) {
    refreshAgain = true;
    return;
  }
  refreshing = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) return location.reload();
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const section = fresh.getElementById(live.id);
    const held = live.contains(document.activeElement) ? place(document.activeElement) : null;
    const open = [...live.querySelectorAll("details")].map((details) => details.open);
    if (section) live.replaceChildren(...section.childNodes);
    live.querySelectorAll("details").forEach((details, index) => { details.open = open[index] ?? false; });
    if (held) live.querySelector(held)?.focus({ preventScroll: true });
    document.title = fresh.title;
    tick();
  } finally {
    refreshing = false;
    if (refreshAgain) {
      refreshAgain = false;
      setTimeout(() => refresh(live), REFRESH_MILLISECONDS);
    }
  }
}

// Where the focus was, so that a refresh does not take it away.
function place(element) {
  if (element.tagName === "A") return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  return element.tagName === "BUTTON" && element.form ? `form[action="${CSS.escape(element.form.getAttribute("action"))}"] button` : null;
}

// Whoever writes into a field of what is refreshed keeps it until it is sent.
function typing() {
  return document.activeElement?.matches("[data-live] input:not([type=hidden])") && document.activeElement.value !== "";
}

// Keep a section as the server would show it now.
export function watch(live) {
  addEventListener("pageshow", (shown) => { if (shown.persisted) location.reload(); });
  let waiting = null;
  const soon = () => { waiting ??= setTimeout(() => { waiting = null; refresh(live); }, REFRESH_MILLISECONDS); };
  // Jobs on their own end without a word in the events of all: the list is looked at anew, a job has a stream of its own.
  if (live.dataset.every) setInterval(() => { if (!document.hidden && !typing()) refresh(live); }, live.dataset.every * 1000);
  if (live.dataset.job) {
    const stream = new Stream(`/api/v1/jobs/${live.dataset.job}/events`, null, {
      state: soon, progress: soon, end: () => { stream.end(); soon(); },
    });
    return;
  }
  const about = live.dataset.run ? `?run=${live.dataset.run}` : "";
  new Stream(`/api/v1/stream/events${about}`, live.dataset.after, { message: () => { if (!typing()) soon(); } });
}
