// A list of which only the rows in view are in the document, however many it has and however tall they are.
//
// The scroll bar stands for a share of all rows: where it is at the share p, that share of the rows lies above the share p
// of the view. For rows of one height that is what scrolling always does; it holds for wrapped rows and for lists
// taller than a browser's elements can be, too, and never needs the height of a row that is not in view.

const TALLEST = 8_000_000;   // pixels; browsers give up between 16 and 33 million
const SPARE_ROWS = 6;        // above and below the view

export class RowList {
  // `draw(row, element | undefined)` returns the element of a row, that of before where nothing about it has changed.
  // `shown(first, last)` is told what is drawn.
  constructor(box, { draw, shown }) {
    this.box = box;
    this.draw = draw;
    this.shown = shown;
    this.count = 0;
    this.rowHeight = 20;
    this.nudge = 0;           // pixels that the scroll bar is too coarse for
    this.ownTop = 0;          // where the list itself has scrolled to, or was told of
    this.drawn = new Map();   // row -> element
    this.spacer = element("log-spacer");
    this.pane = element("log-pane");
    this.strip = element("log-strip");
    this.pane.append(this.strip);
    this.spacer.append(this.pane);
    box.append(this.spacer);
    box.addEventListener("scroll", () => {
      if (box.scrollTop !== this.ownTop) this.nudge = 0;
      this.soon();
    }, { passive: true });
    this.turn = this.turn.bind(this);
    // The browser moves the pane itself when something below its edge gets the focus.
    this.pane.addEventListener("scroll", () => {
      const moved = this.pane.scrollTop;
      if (!moved) return;
      this.pane.scrollTop = 0;
      this.scrollBy(moved);
    });
    this.width = 0;
    new ResizeObserver(() => {
      if (this.box.clientWidth !== this.width) this.measure();
      else this.soon();
    }).observe(box);
  }

  // The height of a row that is not wrapped, anew.
  measure() {
    this.width = this.box.clientWidth;
    const probe = element("log-line");
    probe.append("0");
    this.strip.append(probe);
    this.rowHeight = probe.getBoundingClientRect().height || 20;
    probe.remove();
    this.meanHeight = this.rowHeight;
    this.update(this.count);
  }

  // There are so many rows now. What is at the top of the view stays there, unless the end is held.
  update(count, { toEnd = false, hold = null } = {}) {
    const held = toEnd ? null : hold ?? this.topRow();
    this.count = count;
    for (const row of this.drawn.keys()) if (row >= count) this.remove(row);
    this.render();
    if (toEnd) this.scrollToEnd();
    else if (held && held.row < count) this.place(held.row, held.y);
  }

  // The first row in view, and how far its upper edge is below that of the view.
  topRow() {
    for (const row of [...this.drawn.keys()].sort((one, other) => one - other)) {
      const drawn = this.drawn.get(row);
      const y = this.yOf(drawn);
      if (y + drawn.offsetHeight > 1) return { row, y };
    }
    return null;
  }

  yOf(drawn) {
    return drawn.getBoundingClientRect().top - this.pane.getBoundingClientRect().top;
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => this.render());
  }

  // How far the scroll bar can go, in its own pixels and in those of the rows.
  get way() {
    return Math.max(0, this.box.scrollHeight - this.box.clientHeight);
  }

  get rowsWay() {
    return Math.max(1, this.count * this.meanHeight - this.pane.clientHeight);
  }

  get share() {
    return this.way ? Math.min(1, Math.max(0, this.box.scrollTop / this.way)) : 0;
  }

  get atEnd() {
    return this.way - this.box.scrollTop < 2;
  }

  render() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    this.fit(this.count * this.meanHeight);
    const share = this.share;
    const view = this.pane.clientHeight;
    const at = share * this.count;
    const anchor = Math.max(0, Math.min(this.count - 1, Math.floor(at)));
    const first = Math.max(0, anchor - Math.ceil((share * view) / this.rowHeight) - SPARE_ROWS);
    const last = Math.min(this.count, anchor + Math.ceil(((1 - share) * view) / this.rowHeight) + SPARE_ROWS + 1);
    this.drawRows(first, last);
    const held = this.drawn.get(anchor);
    const top = held ? share * view - held.offsetTop - (at - anchor) * held.offsetHeight : 0;
    this.strip.style.transform = `translateY(${Math.round(top + this.nudge)}px)`;
    this.shown(first, last);
    this.learn(first, last);
    this.ownTop = Math.min(this.ownTop, this.way);
  }

  drawRows(first, last) {
    for (const row of [...this.drawn.keys()]) if (row < first || row >= last) this.remove(row);
    let before = null;
    for (let row = first; row < last; row += 1) {
      const had = this.drawn.get(row);
      const now = this.draw(row, had);
      if (had && had !== now) replace(had, now);
      else if (!had && before) before.after(now);
      else if (!had) this.strip.prepend(now);
      this.drawn.set(row, now);
      before = now;
    }
  }

  remove(row) {
    const left = this.drawn.get(row);
    // Whoever moves by keys goes on to move the list.
    if (left.contains(document.activeElement)) this.box.focus({ preventScroll: true });
    left.remove();
    this.drawn.delete(row);
  }

  // The scroll bar is as long as the rows in view let expect; it changes where that is far off, or all is known.
  learn(first, last) {
    if (last <= first) return;
    const known = this.strip.offsetHeight / (last - first);
    const all = first === 0 && last === this.count;
    const off = known / this.meanHeight;
    if (all ? Math.abs(off - 1) < 0.001 : off < 1.5 && off > 0.5) return;
    const share = this.share;
    this.meanHeight = known;
    this.fit(this.count * known);
    this.scrollTo(share * this.way);
    if (all) this.soon();
  }

  fit(height) {
    const bar = this.pane.offsetHeight - this.pane.clientHeight;
    // Only there: a listener that may stand in the way makes scrolling slower.
    if (height > TALLEST) this.box.addEventListener("wheel", this.turn, { passive: false });
    else this.box.removeEventListener("wheel", this.turn);
    this.spacer.style.height = `${Math.ceil(Math.min(height, TALLEST)) + bar}px`;
    this.pane.style.height = `${this.box.clientHeight}px`;
  }

  // Scroll so that a row's upper edge is `y` pixels below the view's. Rows on the way there are guessed, then known.
  place(row, y) {
    this.nudge = 0;
    for (let round = 0; round < 4; round += 1) {
      const here = this.drawn.get(row);
      const off = (here ? this.yOf(here) : row * this.meanHeight - this.share * this.rowsWay) - y;
      if (here && Math.abs(off) < 1) break;
      const before = this.box.scrollTop;
      this.scrollTo(before + (off * this.way) / this.rowsWay);
      this.render();
      if (here && this.box.scrollTop === before) break;
    }
    const off = this.drawn.has(row) ? this.yOf(this.drawn.get(row)) - y : 0;
    if (!off || Math.abs(off) > 3 || this.atEnd || !this.box.scrollTop) return;
    this.nudge = -off;
    this.render();
  }

  // Bring a row into view; where it is already, nothing moves.
  show(row, share = 0.35) {
    const view = this.pane.clientHeight;
    const drawn = this.drawn.get(row);
    // Under the upper edge stands the head of the section that the line is in.
    const y = drawn ? this.yOf(drawn) : -1;
    if (y >= 2 * this.rowHeight && y + drawn.offsetHeight <= view) return;
    this.place(row, view * share);
  }

  scrollBy(pixels) {
    this.box.scrollTop += (pixels * this.way) / this.rowsWay;   // as somebody who scrolls would
  }

  scrollTo(top) {
    this.nudge = 0;
    this.box.scrollTop = top;
    this.ownTop = this.box.scrollTop;
  }

  scrollToEnd() {
    // The rows at the end may be taller than was thought: then there is more way.
    for (let round = 0; round < 3 && !this.atEnd; round += 1) {
      this.scrollTo(this.way);
      this.render();
    }
  }

  // Where the scroll bar stands for more rows than it has pixels, the wheel moves rows as it does elsewhere.
  turn(turned) {
    if (turned.ctrlKey || !turned.deltaY || (this.atEnd && turned.deltaY > 0) || (!this.box.scrollTop && turned.deltaY < 0)) return;
    turned.preventDefault();
    this.scrollBy(turned.deltaY * (turned.deltaMode === 1 ? this.rowHeight : 1));
  }

  // Returns whether the key was one that moves.
  press(key) {
    const step = { ArrowUp: -this.rowHeight, ArrowDown: this.rowHeight, PageUp: -0.9 * this.pane.clientHeight, PageDown: 0.9 * this.pane.clientHeight }[key];
    if (step) this.scrollBy(step);
    else if (key === "Home") this.box.scrollTop = 0;
    else if (key === "End") this.scrollToEnd();
    else return false;
    return true;
  }
}

// The focus stays in the row.
function replace(had, now) {
  const focused = had.contains(document.activeElement) ? document.activeElement.tagName : null;
  had.replaceWith(now);
  if (focused) now.querySelector(focused)?.focus({ preventScroll: true });
}

function element(name) {
  const made = document.createElement("div");
  made.className = name;
  return made;
}
