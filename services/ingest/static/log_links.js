// Addresses of lines: #L12, and #L12-L20 for several. Numbers in addresses begin with 1, those of lines with 0.

const PATTERN = /^#L([1-9]\d{0,11})(?:-L?([1-9]\d{0,11}))?$/;

// Returns [first, last], or null.
export function readHash(hash) {
  const found = PATTERN.exec(hash);
  if (!found) return null;
  const numbers = [Number(found[1]) - 1, Number(found[2] ?? found[1]) - 1];
  return numbers.sort((one, other) => one - other);
}

export function writeHash([first, last]) {
  return first === last ? `#L${first + 1}` : `#L${first + 1}-L${last + 1}`;
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
