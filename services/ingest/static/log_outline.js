// What is known of a log as a whole, kept up to date: its steps, groups and levels, and the line that tells why it failed.

const RETRY_MILLISECONDS = 2000;
const PACKED_MILLISECONDS = 1000;   // the first wait for what is found when a log is packed
const NOTHING = {
  attempt: null, attempts: [], lines: 0, ended: false, complete: false, steps: [], groups: [], levels: {},
  failing_line: null, failing_text: null,
};

export class OutlineKeeper {
  // `fetchOutline(attempt)` resolves to the outline; `attempt()` is the one that is shown; `changed(outline)` is told what
  // is new, and `failed(error | null)` whether it can be had.
  constructor({ fetchOutline, attempt, changed, failed }) {
    Object.assign(this, { fetchOutline, attempt, changed, failed });
    this.clear();
  }

  clear() {
    this.known = NOTHING;
    this.patience = PACKED_MILLISECONDS;
  }

  // Ask until there is an answer; one that was refused is nothing.
  async fetch() {
    for (;;) {
      try {
        const outline = await this.fetchOutline(this.attempt());
        this.failed(null);
        return { ...NOTHING, ...outline };
      } catch (error) {
        this.failed(error);
        if (error.status < 500) return NOTHING;
        await new Promise((resolve) => { setTimeout(resolve, RETRY_MILLISECONDS); });
      }
    }
  }

  take(outline) {
    this.known = outline;
    // Groups, levels and the failing line are found when the log is packed, soon after its end.
    if (outline.ended && !outline.complete) this.renew(this.patience *= 1.5);
  }

  // Ask once more, after a while.
  renew(milliseconds) {
    const due = performance.now() + milliseconds;
    if (this.renewal?.due <= due) return;
    clearTimeout(this.renewal?.timer);
    this.renewal = { due, timer: setTimeout(() => this.renewNow(), milliseconds) };
  }

  async renewNow() {
    this.renewal = null;
    const attempt = this.attempt();
    const outline = await this.fetch();
    if (this.attempt() !== attempt) return;
    this.take(outline);
    this.changed(outline);
  }
}
