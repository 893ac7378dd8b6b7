// Only the lines of a level: the server chooses them, a page at a time.
import { ChosenRows } from "./log_folds.js";

const AHEAD = 200;             // rows that are fetched before they come into view
const MOST = 20_000;
const PAUSE_MILLISECONDS = 1000;   // between two looks at the end of a log that grows

export class LevelFilter {
  // `fetchLines(level, from, to, signal)` resolves to {lines, next}: `next` is the line to go on with, or null.
  constructor(chooser, { fetchLines, changed, failed }) {
    this.chooser = chooser;
    this.fetchLines = fetchLines;
    this.changed = changed;
    this.failed = failed;
    this.names = new Map([...chooser.options].map((option) => [option.value, option.textContent]));
    chooser.addEventListener("change", () => this.choose(chooser.value));
    this.reset();
  }

  // The rows of the lines that are wanted; null while all are.
  get rows() {
    return this.level ? this.chosen : null;
  }

  // Whether all lines so far have been looked at.
  hasLookedAt(total) {
    return !this.controller && this.from >= total;
  }

  reset() {
    this.controller?.abort();
    this.controller = null;
    this.level = this.chooser.value;
    this.chosen = new ChosenRows([]);
    this.lines = new Map();
    this.from = 0;
    this.lookAt = 0;
  }

  choose(level) {
    this.chooser.value = level;
    this.reset();
    this.changed();
  }

  line(number) {
    return this.level ? this.lines.get(number) : undefined;
  }

  // Rows up to this one are in view: there should be more.
  want(row, total) {
    if (this.controller || row + AHEAD < this.chosen.count || this.from >= total || this.chosen.count >= MOST) return;
    const wait = this.lookAt - performance.now();
    if (wait === Infinity) return;
    if (wait > 0) this.timer ??= setTimeout(() => { this.timer = null; this.changed(); }, wait);
    else this.load(total);
  }

  async load(total) {
    const controller = new AbortController();
    this.controller = controller;
    this.lookAt = performance.now() + (total - this.from < AHEAD ? PAUSE_MILLISECONDS : 0);
    try {
      const { lines, next } = await this.fetchLines(this.level, this.from, total, controller.signal);
      if (controller.signal.aborted) return;
      for (const line of lines) {
        this.lines.set(line.number, line);
        this.chosen.numbers.push(line.number);
      }
      this.from = next ?? total;
      this.failed(null);
    } catch (error) {
      if (controller.signal.aborted) return;
      this.lookAt = error.status < 500 ? Infinity : performance.now() + 2 * PAUSE_MILLISECONDS;
      this.failed(error);
    }
    this.controller = null;
    this.changed();
  }

  // How many lines have which level, where that is known already.
  show(counts, known) {
    const graver = { error: ["error", "fatal"], warning: ["warning", "error", "fatal"] };
    for (const option of this.chooser.options) {
      const name = this.names.get(option.value);
      const count = (graver[option.value] ?? []).reduce((sum, level) => sum + (counts[level] ?? 0), 0);
      option.textContent = option.value && known ? `${name} (${count.toLocaleString()})` : name;
    }
  }
}
