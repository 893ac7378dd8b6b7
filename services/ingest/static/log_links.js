// Addresses of lines: #L12, and #L12-L20 for several. Numbers in addresses begin with 1, those of lines with 0.

const PATTERN = /^#L([1-9]\d{0,11})(?:-L?([1-9]\d{0,11}))?$/;

// Returns [first, last], or null.
function readHash(hash) {
  const found = PATTERN.exec(hash);
  if (!found) return null;
  const numbers = [Number(found[1]) - 1, Number(found[2] ?? found[1]) - 1];
  return numbers.sort((one, other) => one - other);
}

function writeHash([first, last]) {
  return first === last ? `#L${first + 1}` : `#L${first + 1}-L${last + 1}`;
}

// The lines that the page's address names.
export class LinkedLines {
  constructor() {
    this.read();
  }

  read() {
    this.range = readHash(location.hash);
  }

  clear() {
    this.range = null;
  }

  get first() {
    return this.range ? this.range[0] : null;
  }

  includes(number) {
    return this.range !== null && this.range[0] <= number && number <= this.range[1];
  }

  // Name a line, or all from the one that was named first up to it.
  choose(number, further = false) {
    const from = further && this.range ? this.range[0] : number;
    this.range = [Math.min(from, number), Math.max(from, number)];
    history.replaceState(null, "", writeHash(this.range));
  }

  // Their text, if all of them are here: `line(number)` returns what is known of one.
  text(line) {
    if (!this.range) return null;
    const texts = [];
    for (let number = this.range[0]; number <= this.range[1]; number += 1) {
      const known = line(number);
      if (!known) return null;
      texts.push(known.spans.map((span) => span[1]).join(""));
    }
    return texts.join("\n");
  }
}

// The text that is selected in the rows of a log, without numbers and times; null where nothing of it is selected.
export function selectedText(pane) {
  const selection = getSelection();
  if (selection.isCollapsed || !selection.rangeCount) return null;
  const range = selection.getRangeAt(0);
  if (!range.intersectsNode(pane)) return null;
  const parts = [];
  for (const text of pane.querySelectorAll(".log-text")) {
    if (!range.intersectsNode(text)) continue;
    const part = document.createRange();
    part.selectNodeContents(text);
    if (text.contains(range.startContainer)) part.setStart(range.startContainer, range.startOffset);
    if (text.contains(range.endContainer)) part.setEnd(range.endContainer, range.endOffset);
    parts.push(part.toString());
  }
  return parts.length ? parts.join("\n") : null;
}
