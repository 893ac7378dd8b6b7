// Which rows a log has: steps and groups with their heads, and the lines of those that are open. No DOM here.
// A section is {id, kind, name, from, to, opens, …}: it holds the lines from `from` up to, not including, `to`.

export class FoldedRows {
  constructor(remembered) {
    this.remembered = remembered;   // id of a section -> whether somebody has opened it (true) or shut it (false)
    this.sections = [];
    this.total = 0;
    this.build();
  }

  // `sections` come as they begin, outer ones first; `opens` says whether one is open while nobody has said.
  update(sections, total) {
    this.sections = sections;
    this.total = total;
    const around = [];
    for (const section of sections) {
      while (around.length && around.at(-1).to <= section.from) around.pop();
      section.parent = around.at(-1) ?? null;
      section.depth = around.length;
      if (section.parent) section.to = Math.min(section.to, section.parent.to);
      section.open = this.remembered.get(section.id) ?? section.opens;
      around.push(section);
    }
    this.build();
  }

  // Runs of rows that stand under one another: one head, or lines; each knows the number of its first row.
  build() {
    this.runs = [];
    this.count = 0;
    let next = 0;
    const around = [];
    const addLines = (to) => {
      if (to <= next) return;
      this.runs.push({ row: this.count, from: next, section: around.at(-1) ?? null });
      this.count += to - next;
      next = to;
    };
    const leave = (from) => {
      while (around.length && around.at(-1).to <= from) {
        addLines(around.at(-1).to);
        around.pop();
      }
    };
    for (const section of this.sections) {
      if (isHidden(section)) continue;
      leave(section.from);
      addLines(section.from);
      this.runs.push({ row: this.count, from: section.from, head: section });
      this.count += 1;
      if (section.open) around.push(section);
      else next = Math.max(next, section.to);
    }
    leave(Infinity);
    addLines(this.total);
  }

  // What stands in a row: {head} or {number, section}.
  at(row) {
    const run = this.runs[this.lastRun((known) => known.row <= row)];
    if (!run || row >= this.count) return null;
    return run.head ? { head: run.head } : { number: run.from + row - run.row, section: run.section };
  }

  // The row of a line, or of the head that it is folded under; null where there is no such line.
  rowOf(number) {
    if (!(number >= 0 && number < this.total)) return null;
    const run = this.runs[this.lastRun((known) => known.from <= number)];
    if (!run) return null;
    return run.head ? run.row : run.row + number - run.from;
  }

  rowOfHead(section) {
    return this.runs.find((run) => run.head?.id === section.id)?.row ?? null;
  }

  // Open whatever hides a line; says whether something did.
  reveal(number) {
    const shut = this.sections.filter((section) => section.from <= number && number < section.to && !section.open);
    for (const section of shut) this.set(section, true);
    if (shut.length) this.build();
    return shut.length > 0;
  }

  fold(section, open) {
    this.set(section, open);
    this.build();
  }

  foldAll(open) {
    for (const section of this.sections) this.set(section, open);
    this.build();
  }

  set(section, open) {
    this.remembered.set(section.id, open);
    section.open = open;
  }

  // Index of the last run for which `holds`, which is true of the first ones.
  lastRun(holds) {
    let low = 0;
    let high = this.runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(this.runs[middle])) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

// The rows of a log of which only some lines are wanted: no heads.
export class ChosenRows {
  constructor(numbers) {
    this.numbers = numbers;
  }

  get count() {
    return this.numbers.length;
  }

  at(row) {
    return row in this.numbers ? { number: this.numbers[row], section: null } : null;
  }

  rowOf(number) {
    const row = this.numbers.indexOf(number);
    return row < 0 ? null : row;
  }
}

function isHidden(section) {
  for (let outer = section.parent; outer; outer = outer.parent) if (!outer.open) return true;
  return false;
}
