// Howdah's pages, made live: times tick, what has changed is fetched again, and the log follows its end.
// Text from jobs is only ever set as text.

const MOST_LINES = 20000;
const REFRESH_MILLISECONDS = 250;

// ---- times ----------------------------------------------------------------------------------------------------

function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function ago(seconds) {
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

function tick() {
  const now = Date.now();
  for (const running of document.querySelectorAll(".ticking")) {
    running.textContent = duration((now - Date.parse(running.dataset.since)) / 1000);
  }
  for (const time of document.querySelectorAll("time.when")) {
    const at = new Date(time.dateTime);
    time.title = at.toLocaleString();
    time.textContent = ago((now - at) / 1000);
  }
}

// ---- streams --------------------------------------------------------------------------------------------------

// An EventSource that is open while its tab is looked at: a browser has few connections for all tabs of a site.
// It goes on after the last event it has heard, as a browser does by itself when it was cut off.
class Stream {
  constructor(url, lastId, handlers) {
    this.url = url;
    this.lastId = lastId;
    this.handlers = handlers;
    this.over = false;
    document.addEventListener("visibilitychange", () => this.adjust());
    addEventListener("pagehide", () => this.close());
    this.adjust();
  }

  adjust() {
    if (document.hidden) this.close();
    else if (!this.source && !this.over) this.open();
  }

  open() {
    this.source = new EventSource(this.lastId ? `${this.url}&after=${this.lastId}` : this.url);
    for (const [name, handle] of Object.entries(this.handlers)) {
      this.source.addEventListener(name, (heard) => {
        if (heard.lastEventId) this.lastId = heard.lastEventId;
        handle(heard, this.source);
      });
    }
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  end() {
    this.over = true;
    this.close();
  }
}

// ---- what has changed -----------------------------------------------------------------------------------------

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

function watch(live) {
  addEventListener("pageshow", (shown) => { if (shown.persisted) location.reload(); });
  let waiting = null;
  const soon = () => { waiting ??= setTimeout(() => { waiting = null; refresh(live); }, REFRESH_MILLISECONDS); };
  // Jobs on their own end without a word in the events of all: the list is looked at anew, a job has a stream of its own.
  if (live.dataset.every) setInterval(() => { if (!document.hidden && !typing()) refresh(live); }, live.dataset.every * 1000);
  if (live.dataset.job) {
    const stream = new Stream(`/api/v1/jobs/${live.dataset.job}/events?`, null, {
      state: soon, progress: soon, end: () => { stream.end(); soon(); },
    });
    return;
  }
  const about = live.dataset.run ? `run=${live.dataset.run}` : "";
  new Stream(`/api/v1/stream/events?${about}`, live.dataset.after, { message: () => { if (!typing()) soon(); } });
}

// Whoever writes into a field of what is refreshed keeps it until it is sent.
function typing() {
  return document.activeElement?.matches("[data-live] input:not([type=hidden])") && document.activeElement.value !== "";
}

// ---- the log --------------------------------------------------------------------------------------------------

class Log {
  constructor(element) {
    this.element = element;
    this.status = document.getElementById("log-status");
    this.follow = document.getElementById("follow");
    this.queue = [];
    this.ended = false;
    this.epoch = 0;
    this.step = null;
    this.next = 0;           // number of the next line
    this.open = new Map();   // stream -> the line that has not ended
    this.lines = 0;
    this.dropped = false;
    this.follow.addEventListener("change", () => this.scroll());
    addEventListener("wheel", (turned) => { if (turned.deltaY < 0) this.follow.checked = false; }, { passive: true });
    addEventListener("touchmove", () => { if (!this.atEnd()) this.follow.checked = false; }, { passive: true });
    addEventListener("keydown", (pressed) => {
      if (["ArrowUp", "PageUp", "Home"].includes(pressed.key)) this.follow.checked = false;
      if (pressed.key === "End") this.follow.checked = true;
    });
    this.connect();
  }

  connect() {
    this.say("connecting …");
    const stream = new Stream(this.element.dataset.source, null, {
      open: () => this.say("live"),
      error: (_, source) => this.say(source.readyState === EventSource.CLOSED ? "cut off: load the page again" : "connecting again …"),
      message: (heard) => {
        if (!this.queue.length) requestAnimationFrame(() => this.flush());
        this.queue.push(JSON.parse(heard.data));
      },
      end: (heard) => {
        stream.end();
        const { state } = JSON.parse(heard.data);
        requestAnimationFrame(() => {
          this.flush();
          this.ended = true;
          this.say(this.lines ? `complete: the job ${state === "succeeded" ? state : `is ${state}`}` : "the job wrote nothing");
        });
      },
    });
  }

  flush() {
    const added = document.createDocumentFragment();
    for (const chunk of this.queue.splice(0)) this.add(chunk, added);
    this.element.append(added);
    while (this.element.childElementCount > MOST_LINES) {
      this.element.firstElementChild.remove();
      this.dropped = true;
    }
    if (this.dropped && !document.getElementById("log-earlier")) this.noteEarlier();
    this.scroll();
  }

  add(chunk, added) {
    if (chunk.epoch !== this.epoch) {
      this.open.clear();
      this.step = null;
      if (this.epoch || chunk.epoch > 1) added.append(this.note(`Attempt ${chunk.epoch}`));
      this.epoch = chunk.epoch;
    }
    if (chunk.step !== this.step) {
      this.open.clear();
      this.step = chunk.step;
      if (chunk.step >= 0) added.append(this.note(this.stepName(chunk)));
    }
    if (!this.lines && chunk.first_line > 0) this.dropped = true;
    let number = chunk.first_line;
    let line = chunk.continues ? this.open.get(chunk.stream) : undefined;
    for (const [classes, text] of chunk.spans) {
      const parts = text.split("\n");
      parts.forEach((part, index) => {
        if (index > 0) {
          line ??= this.line(number++, chunk.stream, added);
          line = undefined;
        }
        if (!part) return;
        line ??= this.line(number++, chunk.stream, added);
        this.write(line, part, classes);
      });
    }
    if (line) this.open.set(chunk.stream, line);
    else this.open.delete(chunk.stream);
  }

  line(number, stream, added) {
    const line = document.createElement("div");
    line.className = `log-line ${stream}`;
    line.dataset.number = number + 1;
    line.append(document.createElement("span"));
    added.append(line);
    this.lines += 1;
    return line;
  }

  // A carriage return begins the line anew, as on a terminal: progress bars stay one line.
  write(line, text, classes) {
    const target = line.firstElementChild;
    const kept = text.replace(/\r+$/, "");
    const start = kept.lastIndexOf("\r");
    if (start >= 0) target.replaceChildren();
    const shown = kept.slice(start + 1);
    if (!classes) return target.append(shown);
    const span = document.createElement("span");
    span.className = classes;
    span.textContent = shown;
    target.append(span);
  }

  note(text) {
    const note = document.createElement("div");
    note.className = "log-step";
    note.textContent = text;
    return note;
  }

  noteEarlier() {
    const note = document.createElement("p");
    note.id = "log-earlier";
    note.className = "log-note";
    const link = document.createElement("a");
    link.href = this.element.dataset.source.replace("/stream/logs/", "/jobs/").replace(/\?.*$/, "/log");
    link.textContent = "read the whole log as text";
    note.append("Earlier lines are left out here: ", link, ".");
    this.element.before(note);
  }

  stepName(chunk) {
    const found = document.querySelector(`#steps [data-epoch="${chunk.epoch}"][data-position="${chunk.step}"]`);
    return found ? found.dataset.name : `Step ${chunk.step + 1}`;
  }

  atEnd() {
    return innerHeight + scrollY >= document.documentElement.scrollHeight - 40;
  }

  scroll() {
    if (this.follow.checked && !this.ended) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
  }

  say(text) {
    this.status.textContent = text;
  }
}

const live = document.querySelector("[data-live]");
if (live) watch(live);
const log = document.getElementById("log");
if (log) new Log(log);
tick();
setInterval(tick, 1000);
