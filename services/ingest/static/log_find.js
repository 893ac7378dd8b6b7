// The search box of a log: the server looks, the page goes from hit to hit.

const PAUSE_MILLISECONDS = 250;   // after the last key
const PAGE = 1000;                // hits that are asked for at a time
const MOST_HITS = 20_000;

export class Finder {
  // `search(params, signal)` resolves to {hits: [{number, matches: [{from, text}]}], next}: `next` is the line to go on after, or null.
  // `visit(number)` brings a line into view; `changed()` is called when other marks are to be drawn.
  constructor(form, { search, visit, changed, firstInView, left }) {
    this.form = form;
    this.search = search;
    this.visit = visit;
    this.changed = changed;
    this.firstInView = firstInView;
    this.left = left;
    this.box = form.elements.q;
    this.count = form.querySelector("output");
    this.clear();
    form.addEventListener("submit", (sent) => { sent.preventDefault(); this.step(1); });
    form.addEventListener("input", () => this.soon());
    form.querySelector("[data-find=previous]").addEventListener("click", () => this.step(-1));
    this.box.addEventListener("keydown", (pressed) => {
      if (pressed.key === "Enter" && pressed.shiftKey) this.step(-1);
      else if (pressed.key === "Escape") this.leave();
      else return;
      pressed.preventDefault();
    });
  }

  clear() {
    this.controller?.abort();
    clearTimeout(this.timer);
    this.hits = [];
    this.marks = new Map();
    this.next = null;
    this.current = -1;
    this.asked = null;
    this.say("");
  }

  focus() {
    this.box.focus();
    this.box.select();
  }

  leave() {
    this.box.value = "";
    this.clear();
    this.changed();
    this.left();
  }

  // What is asked for now; null for nothing.
  get params() {
    const q = this.box.value;
    if (!q) return null;
    return { q, regex: this.form.elements.regex.checked, case: this.form.elements.case.checked };
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(), PAUSE_MILLISECONDS);
  }

  async start() {
    this.clear();
    this.asked = this.params;
    this.changed();
    if (!this.asked) return;
    const asked = this.asked;
    this.say("…");
    // From where the reader is: what stands before it is counted on the way.
    const from = this.firstInView();
    do await this.fetchMore();
    while (this.asked === asked && this.next !== null && (this.hits.at(-1)?.number ?? -1) < from);
    if (this.asked !== asked || !this.hits.length) return;
    const nearest = this.hits.findIndex((hit) => hit.number >= from);
    this.go(nearest < 0 ? 0 : nearest);
  }

  async fetchMore() {
    this.controller = new AbortController();
    const { signal } = this.controller;
    try {
      const { hits, next } = await this.search({ ...this.asked, after: this.next, limit: PAGE }, signal);
      if (signal.aborted) return false;
      for (const hit of hits) {
        this.hits.push(hit);
        this.marks.set(hit.number, hit.matches);
      }
      this.next = this.hits.length < MOST_HITS ? next : null;
      this.cutOff = next !== null && this.next === null;
      this.show();
      this.changed();
      return true;
    } catch (error) {
      if (!signal.aborted) {
        this.next = null;
        this.say(error.message, true);
      }
      return false;
    }
  }

  // To the next hit, or the one before; around at the end.
  async step(by) {
    if (!this.asked || JSON.stringify(this.params) !== JSON.stringify(this.asked)) return this.start();
    let wanted = this.current + by;
    while (wanted >= this.hits.length && this.next !== null && (await this.fetchMore()));
    if (!this.hits.length) return;
    wanted = (wanted + this.hits.length) % this.hits.length;
    this.go(wanted);
  }

  go(index) {
    this.current = index;
    this.show();
    this.changed();
    this.visit(this.hits[index].number);
  }

  // Marks of a line: [from, to, whether this is the hit that was gone to]. What a terminal would have overwritten is not
  // shown, and cannot be marked where it was found: then what is shown of it is.
  marksOf(number, line) {
    const found = this.marks.get(number);
    if (!found || !line) return null;
    const shown = line.spans.map((span) => span[1]).join("");
    const current = this.hits[this.current]?.number === number;
    const marks = [];
    for (const { from, text } of found) {
      const at = shown.startsWith(text, from) ? from : shown.indexOf(text, marks.at(-1)?.[1] ?? 0);
      if (text && at >= 0) marks.push([at, at + text.length, current]);
    }
    return marks;
  }

  show() {
    if (!this.hits.length) return this.say(this.next === null ? "no line" : "…");
    const many = `${this.hits.length.toLocaleString()}${this.next !== null || this.cutOff ? "+" : ""}`;
    this.say(this.current < 0 ? many : `${(this.current + 1).toLocaleString()} of ${many}`);
  }

  say(text, wrong = false) {
    this.count.textContent = text;
    this.count.classList.toggle("wrong", wrong);
  }
}
