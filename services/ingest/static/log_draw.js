// Rows of a log as elements. What a job wrote becomes text and nothing else.
import { duration } from "./times.js";

const MARKS = { succeeded: "✓", failed: "✗", running: "●" };
const LEVEL_MARKS = { fatal: "✗", error: "✗", warning: "!" };

// Returns the element of a line. `marks` are [from, to, current] in characters of its text; `time` is what stands before it.
export function drawLine(number, line, { marks, time, rawUrl }) {
  const row = make("div", "log-line");
  row.dataset.line = number;
  const link = make("a", "log-number", String(number + 1));
  link.href = `#L${number + 1}`;
  row.append(link);
  if (!line) {
    row.classList.add("waiting");
    link.setAttribute("aria-label", `line ${number + 1}, is being loaded`);
    row.append(make("span", "log-level"), make("span", "log-text"));
    return row;
  }
  row.classList.add(line.stream);
  const level = LEVEL_MARKS[line.level];
  if (level) row.classList.add(line.level === "warning" ? "is-warning" : "is-error");
  link.setAttribute("aria-label", `line ${number + 1}${level ? `, ${line.level}` : ""}`);
  link.title = exactTime(line.at);
  if (time !== null) {
    const shown = make("span", "log-time", time);
    shown.title = link.title;
    row.append(shown);
  }
  row.append(make("span", "log-level", level ?? ""));
  row.append(drawText(line, marks, rawUrl));
  return row;
}

function drawText(line, marks, rawUrl) {
  const text = make("span", "log-text");
  if (line.binary) {
    text.append(drawAside(`binary, ${bytes(line.omitted)}: in the raw log`, rawUrl));
    return text;
  }
  let position = 0;
  line.spans.forEach(([classes, content], index) => {
    if (line.omitted && index === line.cutAt) text.append(drawAside(`… ${bytes(line.omitted)} more, in the raw log …`, rawUrl));
    for (const [piece, mark] of cut(content, position, marks)) {
      const holder = mark ? make("mark", mark[2] ? "current" : "") : null;
      const span = classes || holder ? make("span", classes, piece) : document.createTextNode(piece);
      if (holder) holder.append(span);
      text.append(holder ?? span);
    }
    position += content.length;
  });
  if (line.omitted && line.cutAt >= line.spans.length) text.append(drawAside(`… ${bytes(line.omitted)} more, in the raw log …`, rawUrl));
  return text;
}

function drawAside(words, rawUrl) {
  const note = make("a", "log-aside", words);
  note.href = rawUrl;
  return note;
}

// Pieces of a text that begins at a position of its line, each with the mark that is on it.
function cut(content, position, marks) {
  if (!marks?.length) return [[content, null]];
  const pieces = [];
  let done = 0;
  for (const mark of marks) {
    const from = Math.max(mark[0] - position, done);
    const to = Math.min(mark[1] - position, content.length);
    if (to <= from) continue;
    if (from > done) pieces.push([content.slice(done, from), null]);
    pieces.push([content.slice(from, to), mark]);
    done = to;
  }
  if (done < content.length) pieces.push([content.slice(done), null]);
  return pieces;
}

// Returns the element of a step's or a group's head: a button that folds.
export function drawHead(section) {
  const row = make("div", `log-head ${section.kind}`);
  row.dataset.section = section.id;
  row.append(drawFoldButton(section));
  return row;
}

export function drawFoldButton(section) {
  const button = make("button", "log-fold");
  button.type = "button";
  button.setAttribute("aria-expanded", String(section.open));
  button.append(make("span", "log-chevron", section.open ? "▾" : "▸"));
  for (let depth = 0; depth < section.depth; depth += 1) button.prepend(make("span", "log-indent"));
  if (section.state) {
    const mark = make("span", `mark state-${section.state}`, MARKS[section.state]);
    mark.title = section.state;
    button.append(mark);
  }
  button.append(make("span", "log-name", section.name), drawFacts(section));
  return button;
}

function drawFacts(section) {
  const facts = make("span", "log-facts");
  const add = (...parts) => {
    if (facts.childNodes.length) facts.append(" · ");
    facts.append(...parts);
  };
  if (section.exitCode) add(`exit code ${section.exitCode}`);
  if (section.startedAt && section.endedAt) add(duration((section.endedAt - section.startedAt) / 1000));
  else if (section.startedAt && section.state === "running") {
    const took = make("span", "took ticking", duration((Date.now() - section.startedAt) / 1000));
    took.dataset.since = new Date(section.startedAt).toISOString();
    add(took);
  }
  const lines = section.to - section.from;
  add(`${lines.toLocaleString()} line${lines === 1 ? "" : "s"}`);
  return facts;
}

// What is the same in two drawings of a head.
export function headKey(section) {
  return [section.id, section.open, section.depth, section.name, section.state, section.exitCode, section.endedAt, section.to - section.from].join("|");
}

// The time of a line: `off`, `step` (since the step has begun), or `clock`.
export function timeOf(line, mode, stepStart) {
  if (mode === "off") return null;
  if (!line) return "";
  const at = new Date(line.at);
  if (mode === "clock") return at.toLocaleTimeString([], { hour12: false }) + `.${String(at.getMilliseconds()).padStart(3, "0")}`;
  if (stepStart == null) return "";
  const seconds = Math.max(0, line.at - stepStart) / 1000;
  const whole = Math.floor(seconds);
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const clock = `${Math.floor(whole / 60) % 60}:${String(whole % 60).padStart(2, "0")}`;
  return whole < 3600 ? clock : `${Math.floor(whole / 3600)}:${clock.padStart(5, "0")}`;
}

function exactTime(at) {
  const time = new Date(at);
  return `${time.toLocaleString()}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

export function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  return count < 1_000_000 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1_000_000).toFixed(1)} MB`;
}

export function make(name, classes, text) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text !== undefined) made.textContent = text;
  return made;
}
