// What the page asks of the API about the log of one job.

export class LogApi {
  constructor(job) {
    this.path = `/api/v1/jobs/${encodeURIComponent(job)}/log`;
  }

  textUrl(attempt) {
    return attempt ? `${this.path}?attempt=${attempt}` : this.path;
  }

  rawUrl(attempt) {
    return attempt ? `${this.path}/raw?attempt=${attempt}` : `${this.path}/raw`;
  }

  outline(attempt) {
    return this.get("/outline", { attempt });
  }

  // Lines from one number up to, not including, another.
  async lines(attempt, from, to, signal) {
    const lines = [];
    for (let next = from; next !== null && next < to;) {
      const found = await this.get("/lines", { attempt, from: next, to, spans: true }, signal);
      lines.push(...found.lines.map(readLine));
      next = found.next_from;
    }
    return lines;
  }

  // Lines of a range that are marked at least so, as many as the server likes to answer at once.
  async markedLines(attempt, level, from, to, signal) {
    const found = await this.get("/lines", { attempt, from, to, level, spans: true }, signal);
    return { lines: found.lines.map(readLine), next: found.next_from };
  }

  // Lines that hold a text, or match a regular expression, behind one of them.
  async search(attempt, { q, regex, case: sameCase, after, limit }, signal) {
    const found = await this.get("/search", { attempt, q, regex, case: sameCase, after_line: after, limit }, signal);
    return { hits: found.hits.map(readHit), next: found.next_after };
  }

  async get(what, query, signal) {
    const wanted = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== false);
    let answer;
    try {
      answer = await fetch(`${this.path}${what}?${new URLSearchParams(wanted)}`, { signal });
    } catch (error) {
      throw signal?.aborted ? error : new Error("the server cannot be reached");
    }
    if (answer.ok) return answer.json();
    const problem = await answer.json().catch(() => null);
    const fields = (problem?.errors ?? []).map((wrong) => wrong.message);
    throw Object.assign(new Error(fields.join("; ") || problem?.detail || `the server answers ${answer.status}`), { status: answer.status });
  }
}

// Returns a line as the viewer keeps it: `omitted` bytes are left out before the span of number `cutAt`.
export function readLine(line) {
  const spans = line.spans ?? [["", line.text ?? ""]];
  const cutAt = spans.length;
  if (line.tail) spans.push(["", line.tail]);
  return {
    number: line.number, step: line.step, stream: line.stream, at: Date.parse(line.at), level: line.level, spans, cutAt,
    size: spans.reduce((sum, span) => sum + span[1].length, 0), omitted: line.omitted_bytes ?? 0,
    binary: line.binary ?? false, version: 0, live: false,
  };
}

// Returns a hit with its matches: their text, and where it stands in the line, in units of JavaScript's strings.
function readHit(hit) {
  const letters = Array.from(hit.text);
  const matches = hit.matches.map(([from, to]) => ({
    from: hit.omitted_before + letters.slice(0, from).join("").length, text: letters.slice(from, to).join(""),
  }));
  return { number: hit.line, matches };
}
