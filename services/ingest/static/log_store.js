// The lines that the page holds: fetched by range when they are looked at, or heard from the stream. A bound on both.

const PAGE = 500;
const MOST_PAGES = 80;
const MOST_CHARACTERS = 24_000_000;
const PAUSE_MILLISECONDS = 80;    // between beginning to fetch one place and the next: a dragged scroll bar passes many
const RETRY_MILLISECONDS = 2000;

export class LineStore {
  // `fetchLines(from, to, signal)` resolves to lines; `changed()` is called when lines have come; `failed(error | null)`
  // when fetching fails, and with null when it goes again.
  constructor({ fetchLines, changed, failed }) {
    this.fetchLines = fetchLines;
    this.changed = changed;
    this.failed = failed;
    this.pages = new Map();   // number of the page -> {lines, until, stale}; the last used is the last
    this.loading = new Map(); // number of the page -> AbortController
    this.retryAt = 0;
  }

  line(number) {
    return this.pages.get(Math.floor(number / PAGE))?.lines[number % PAGE];
  }

  // A line as the stream has it.
  put(line) {
    this.page(Math.floor(line.number / PAGE)).lines[line.number % PAGE] = line;
  }

  page(index) {
    let page = this.pages.get(index);
    if (page) this.pages.delete(index);
    const made = !page;
    page ??= { lines: new Array(PAGE), until: 0, stale: false };
    this.pages.set(index, page);
    if (made) this.shrink(index);
    return page;
  }

  // Fetch what is not there of these lines; give up what was wanted before and is not any more.
  want(numbers, total) {
    this.wanted = new Set();
    for (const number of numbers) {
      const index = Math.floor(number / PAGE);
      if (!this.wanted.has(index) && this.lacks(index, number)) this.wanted.add(index);
      else if (this.pages.has(index)) this.page(index);   // used just now
    }
    this.total = total;
    for (const [index, controller] of this.loading) {
      if (!this.wanted.has(index)) {
        controller.abort();
        this.loading.delete(index);
      }
    }
    this.begin();
  }

  lacks(index, number) {
    const page = this.pages.get(index);
    return !page || page.stale || (!page.lines[number % PAGE] && number >= page.until);
  }

  begin() {
    const now = performance.now();
    const next = [...this.wanted].find((index) => !this.loading.has(index));
    if (next === undefined || this.timer || this.retryAt === Infinity) return;
    const wait = Math.max(this.retryAt, (this.begunAt ?? -Infinity) + PAUSE_MILLISECONDS) - now;
    if (wait > 0) {
      this.timer = setTimeout(() => { this.timer = null; this.begin(); }, wait);
      return;
    }
    this.begunAt = now;
    for (const index of this.wanted) if (!this.loading.has(index)) this.load(index);
  }

  async load(index) {
    const controller = new AbortController();
    this.loading.set(index, controller);
    const from = index * PAGE;
    const to = Math.min(from + PAGE, this.total);
    try {
      const lines = await this.fetchLines(from, to, controller.signal);
      if (controller.signal.aborted) return;
      this.fill(index, lines, to);
      this.failed(null);
    } catch (error) {
      if (controller.signal.aborted) return;
      // What was refused will be refused again.
      this.retryAt = error.status < 500 ? Infinity : performance.now() + RETRY_MILLISECONDS;
      this.failed(error);
    } finally {
      if (this.loading.get(index) === controller) this.loading.delete(index);
    }
    this.changed();
  }

  fill(index, lines, to) {
    const page = this.page(index);
    const stale = page.stale;
    for (const line of lines) {
      const known = page.lines[line.number % PAGE];
      // What the stream has told may be newer, and is whole: it was there when the line began.
      if (!known?.live || stale) page.lines[line.number % PAGE] = line;
    }
    page.until = to;
    page.stale = false;
    this.shrink(index);
  }

  // Forget the pages that were not used for longest, but for those in view.
  shrink(kept) {
    const sizes = new Map([...this.pages].map(([index, page]) => [index, charactersOf(page)]));
    let size = [...sizes.values()].reduce((sum, one) => sum + one, 0);
    for (const index of sizes.keys()) {
      if (this.pages.size <= MOST_PAGES && size <= MOST_CHARACTERS) return;
      if (index === kept || this.wanted?.has(index)) continue;
      this.pages.delete(index);
      size -= sizes.get(index);
    }
  }

  // A line's beginning is not known any more: it is to be fetched again.
  forget(number) {
    const page = this.pages.get(Math.floor(number / PAGE));
    if (!page) return;
    page.stale = true;
    delete page.lines[number % PAGE];
  }

  // Everything is to be fetched again when it is looked at; until then it is shown as it is.
  outdate() {
    for (const page of this.pages.values()) page.stale = true;
  }

  clear() {
    for (const controller of this.loading.values()) controller.abort();
    clearTimeout(this.timer);
    this.timer = null;
    this.retryAt = 0;
    this.loading.clear();
    this.pages.clear();
  }
}

function charactersOf(page) {
  return page.lines.reduce((sum, line) => sum + (line?.size ?? 0), 0);
}
