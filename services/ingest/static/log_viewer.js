// The log of a job on its page: what is in view is fetched, what comes is followed, and its parts hold to one another.
import { LogApi } from "./log_api.js";
import { Banner } from "./log_banner.js";
import { drawFoldButton, drawHead, drawLine, headKey, timeOf } from "./log_draw.js";
import { Finder } from "./log_find.js";
import { FoldedRows } from "./log_folds.js";
import { Follower } from "./log_follow.js";
import { listenToReader } from "./log_input.js";
import { LevelFilter } from "./log_levels.js";
import { LinkedLines } from "./log_links.js";
import { RowList } from "./log_list.js";
import { OutlineKeeper } from "./log_outline.js";
import { readSections, stepStarts } from "./log_sections.js";
import { keepSettings, rememberFolds } from "./log_settings.js";
import { LineStore } from "./log_store.js";
import { LogStream } from "./log_stream.js";

const STEP_MILLISECONDS = 400;   // a step has begun: what is it called?

export class LogViewer {
  constructor(root) {
    this.root = root;
    this.job = root.dataset.job;
    this.final = "final" in root.dataset;   // whether the job has ended
    this.state = root.dataset.state;
    this.attempt = Number(new URLSearchParams(location.search).get("attempt")) || null;
    this.pinned = this.attempt !== null;    // somebody has chosen the attempt
    this.linked = new LinkedLines();
    this.revision = 0;
    this.api = new LogApi(this.job);
    this.banner = new Banner(root, this.api, (attempt) => this.chooseAttempt(attempt));
    this.box = root.querySelector(".log-lines");
    this.stuck = root.querySelector(".log-stuck");
    this.list = new RowList(this.box, { draw: (row, had) => this.draw(row, had), shown: (first, last) => this.shown(first, last) });
    this.follower = new Follower(this.list, this.box, root.querySelector("[name=follow]"));
    this.store = new LineStore({
      fetchLines: (from, to, signal) => this.api.lines(this.attempt, from, to, signal),
      changed: () => this.list.soon(),
      failed: (error) => this.complain(error),
    });
    this.levels = new LevelFilter(root.querySelector("[name=level]"), {
      fetchLines: (level, from, to, signal) => this.api.markedLines(this.attempt, level, from, to, signal),
      changed: () => this.refreshRows({ toEnd: this.follower.on }),
      failed: (error) => this.complain(error),
    });
    this.finder = new Finder(root.querySelector("form.log-find"), {
      search: (params, signal) => this.api.search(this.attempt, params, signal),
      visit: (number) => this.visit(number),
      changed: () => this.redraw(),
      firstInView: () => this.firstInView(),
      left: () => this.box.focus({ preventScroll: true }),
    });
    this.stream = new LogStream(root.dataset.stream, this.store, {
      attempt: () => this.attempt,
      say: (text) => this.banner.say(text),
      turned: (epoch) => this.turnTo(epoch),
      stepped: () => this.outlines.renew(STEP_MILLISECONDS),
      added: () => this.refreshRows({ toEnd: this.follower.on }),
      ended: (state) => this.finish(state),
      skipped: () => { this.store.outdate(); this.outlines.renew(0); },
    });
    this.outlines = new OutlineKeeper({
      fetchOutline: (attempt) => this.api.outline(attempt),
      attempt: () => this.attempt,
      changed: (outline) => { this.showOutline(outline); this.refreshRows({ toEnd: this.follower.on }); },
      failed: (error) => this.complain(error),
    });
    this.settings = keepSettings(root, () => { this.redraw(); this.list.measure(); });
    this.reset();
    listenToReader(this);
    addEventListener("hashchange", () => this.followHash());
    this.start();
  }

  // ---- which log

  // Nothing of another attempt is left.
  reset() {
    this.outlines.clear();
    this.removed = false;
    this.opened = new Map();
    this.starts = new Map();
    this.rows = new FoldedRows(rememberFolds(this.job, this.attempt));
    this.store.clear();
    this.stream.clear();
    this.levels.reset();
  }

  async start() {
    const outline = await this.outlines.fetch();
    this.attempt = outline.attempt ?? this.attempt;
    this.rows = new FoldedRows(rememberFolds(this.job, this.attempt));
    this.outlines.take(outline);
    this.showOutline(outline);
    const live = !this.final && this.isNewest;
    this.follower.toggle.checked = live && this.linked.first === null;
    this.follower.toggle.closest("label").hidden = !live;
    this.refreshRows({ toEnd: this.follower.on });
    if (this.linked.first !== null) this.visit(this.linked.first);
    else if (!this.follower.on && outline.failing_line !== null) this.goTo(outline.failing_line);
    if (live) this.stream.connect();
    else if (!this.complained) this.sayEnd();
  }

  get isNewest() {
    return !this.pinned || this.outlines.known.attempts.every((epoch) => epoch <= this.attempt);
  }

  get total() {
    return this.removed ? 0 : Math.max(this.outlines.known.lines, this.stream.next);
  }

  showOutline(outline) {
    this.banner.show(outline);
    this.levels.show(outline.levels, outline.complete);
  }

  // The next attempt has begun.
  turnTo(epoch) {
    if (this.pinned) return;
    this.attempt = epoch;
    this.linked.clear();
    this.reset();
    this.finder.clear();
    this.outlines.renew(0);
  }

  finish(state) {
    this.final = true;
    this.state = state;
    this.store.outdate();   // they come again with their levels
    this.follower.stop();
    this.follower.toggle.closest("label").hidden = true;
    this.sayEnd();
    this.outlines.renew(0);
  }

  chooseAttempt(attempt) {
    const url = new URL(location);
    url.searchParams.set("attempt", attempt);
    url.hash = "";
    location.assign(url);
  }

  // ---- which rows

  // What rows there are, anew; `where` says what stays where it is.
  refreshRows(where = {}) {
    const sections = this.removed ? [] : readSections(this.outlines.known, this.stream.steps, this.total, this.opened);
    this.starts = stepStarts(sections);
    this.rows.update(sections, this.total);
    const height = this.box.clientHeight;
    this.list.update(this.shownRows.count, where);
    this.box.dataset.note = this.shownRows.count ? "" : this.emptiness;
    if (where.toEnd && this.box.clientHeight !== height) this.showBox();
  }

  // Why there is no row.
  get emptiness() {
    if (this.levels.rows) return this.levels.hasLookedAt(this.total) ? "no line is marked so" : "looking …";
    return this.final || this.removed ? "" : "nothing yet";
  }

  get shownRows() {
    return this.levels.rows ?? this.rows;
  }

  line(number) {
    return this.levels.line(number) ?? this.store.line(number);
  }

  redraw() {
    this.revision += 1;
    this.list.soon();
  }

  draw(row, had) {
    const what = this.shownRows.at(row);
    const key = what.head ? headKey(what.head) : this.lineKey(what.number);
    let drawn = had;
    if (had?.drawnAs !== key) {
      drawn = what.head ? drawHead(what.head) : this.drawNumbered(what.number);
      drawn.drawnAs = key;
    }
    if (!what.head) {
      drawn.classList.toggle("selected", this.linked.includes(what.number));
      drawn.classList.toggle("failing", what.number === this.outlines.known.failing_line);
    }
    return drawn;
  }

  lineKey(number) {
    const line = this.line(number);
    return `${number}|${this.revision}|${line ? `${line.live}${line.version}|${line.level}` : ""}`;
  }

  drawNumbered(number) {
    const line = this.line(number);
    return drawLine(number, line, {
      marks: this.finder.marksOf(number, line),
      time: timeOf(line, this.settings.times, line && this.starts.get(line.step)),
      rawUrl: this.api.rawUrl(this.attempt),
    });
  }

  shown(first, last) {
    const numbers = [];
    for (let row = first; row < last; row += 1) {
      const what = this.shownRows.at(row);
      if (!what.head) numbers.push(what.number);
    }
    if (this.levels.rows) this.levels.want(last, this.total);
    else this.store.want(numbers, this.total);
    this.showPlace();
  }

  // The head of the section that the first line in view belongs to stays in view.
  showPlace() {
    const top = this.list.topRow();
    const section = top ? this.shownRows.at(top.row)?.section : null;
    this.stuck.hidden = !section;
    if (!section || this.stuck.drawnAs === headKey(section)) return;
    this.stuck.drawnAs = headKey(section);
    const path = [];
    for (let outer = section; outer; outer = outer.parent) path.unshift(outer.name);
    this.stuck.dataset.section = section.id;
    this.stuck.replaceChildren(drawFoldButton({ ...section, depth: 0, name: path.join(" › ") }));
  }

  firstInView() {
    const top = this.list.topRow();
    const what = top && this.shownRows.at(top.row);
    return what ? what.number ?? what.head.from : 0;
  }

  toggle(id) {
    const section = this.rows.sections.find((known) => known.id === id);
    const head = this.list.pane.querySelector(`[data-section="${CSS.escape(id)}"]`);
    const y = head ? this.list.yOf(head) : 0;
    this.rows.fold(section, !section.open);
    this.list.update(this.rows.count, { hold: { row: this.rows.rowOfHead(section), y: Math.max(0, y) } });
  }

  toggleAll() {
    this.rows.foldAll(!this.rows.sections.some((section) => section.open));
    this.list.update(this.shownRows.count);
  }

  // ---- which line

  select(number, further = false) {
    this.linked.choose(number, further);
    this.list.soon();
  }

  followHash() {
    this.linked.read();
    if (this.linked.first !== null) this.visit(this.linked.first);
    this.list.soon();
  }

  // Bring a line into view, whatever hides it, and the log with it.
  visit(number) {
    this.goTo(number);
    this.showBox();
  }

  goTo(number) {
    this.follower.stop();
    if (this.levels.rows && this.levels.rows.rowOf(number) === null) this.levels.choose("");
    if (!this.levels.rows && this.rows.reveal(number)) this.list.update(this.rows.count);
    const row = this.shownRows.rowOf(number);
    if (row !== null) this.list.show(row);
  }

  showBox() {
    const shape = this.box.getBoundingClientRect();
    if (shape.bottom > innerHeight) this.box.scrollIntoView({ block: "end", behavior: "instant" });
    else if (shape.top < 0) this.box.scrollIntoView({ block: "start", behavior: "instant" });
  }

  // ---- what is said

  sayEnd() {
    this.banner.sayEnd(this.total, this.pinned && !this.isNewest ? null : this.state);
  }

  complain(error) {
    if (error?.status < 500) this.banner.say(error.message);
    else if (error) this.banner.say(`${error.message}: trying again`);
    else if (this.complained && this.stream.open) this.banner.say("live");
    else if (this.complained) this.sayEnd();
    this.complained = Boolean(error);
    // Retention has removed the lines; what is known of the log as a whole is still there.
    if (error?.status === 410 && !this.removed) {
      this.removed = true;
      this.refreshRows();
    }
  }
}
