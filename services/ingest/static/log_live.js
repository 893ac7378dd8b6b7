// Chunks of a job's stream, put together into lines as they grow.

const LONGEST = 16_384;   // characters of a line that has not ended; the server folds those that have
const KEPT_END = 2_048;

export class LiveLines {
  // `put(line)` takes a line that is new or has grown; `lost(stream, before)` is told that a line of this stream, one that
  // began before the line of that number, goes on, and that its beginning was never heard.
  constructor({ put, lost }) {
    this.put = put;
    this.lost = lost;
    this.reset();
  }

  reset() {
    this.epoch = null;
    this.step = null;
    this.open = new Map();   // stream -> the line that has not ended
    this.next = 0;           // number of the next line
  }

  // Add a chunk of the attempt that is shown.
  add(chunk) {
    if (chunk.step !== this.step) this.open.clear();
    this.step = chunk.step;
    let line = chunk.continues ? this.open.get(chunk.stream) : undefined;
    let skipping = chunk.continues && !line;
    if (skipping) this.lost(chunk.stream, chunk.first_line);
    let number = chunk.first_line;
    const levels = new Map(chunk.levels);
    const begin = () => {
      const offsets = chunk.line_offsets_ms;
      const offset = offsets[Math.min(number - chunk.first_line, offsets.length - 1)] ?? 0;
      const begun = {
        number, step: chunk.step, stream: chunk.stream, at: Date.parse(chunk.at) + offset, level: levels.get(number) ?? null,
        spans: [], size: 0, omitted: 0, binary: false, version: 0, live: true,
      };
      number += 1;
      this.put(begun);
      return begun;
    };
    for (const [classes, text] of chunk.spans) {
      const parts = text.split("\n");
      for (let index = 0; index < parts.length; index += 1) {
        if (index > 0) {
          if (!skipping) line ??= begin();
          skipping = false;
          line = undefined;
        }
        if (!parts[index] || skipping) continue;
        line ??= begin();
        write(line, parts[index], classes);
      }
    }
    if (line) this.open.set(chunk.stream, line);
    else if (!skipping) this.open.delete(chunk.stream);
    this.next = Math.max(this.next, number);
  }
}

// A carriage return begins the line anew, as on a terminal: progress bars stay one line.
function write(line, text, classes) {
  const kept = text.replace(/\r+$/, "");
  const start = kept.lastIndexOf("\r");
  if (start >= 0) Object.assign(line, { spans: [], size: 0, omitted: 0 });
  const shown = kept.slice(start + 1);
  line.version += 1;
  if (shown) line.spans.push([classes, shown]);
  line.size += shown.length;
  if (line.size > LONGEST) foldLine(line);
}

// Keep the beginning and the end of a line that grows too long.
function foldLine(line) {
  const text = line.spans.map((span) => span[1]).join("");
  const head = line.head ?? text.slice(0, LONGEST / 2);
  line.head = head;
  line.omitted += text.length - head.length - KEPT_END;
  line.spans = [["", head], ["", text.slice(-KEPT_END)]];
  line.cutAt = 1;   // what is left out stands before this span
  line.size = head.length + KEPT_END;
}
