// What a job writes while the page is open, handed on once for each frame that the browser shows.
import { LiveLines } from "./log_live.js";
import { Stream } from "./stream.js";

const LONG_HIDDEN_MILLISECONDS = 20_000;

export class LogStream {
  // `say(text)` says how the stream stands; `turned(epoch)` that a later attempt has begun; `stepped(position)` that a step
  // has; `added()` that there are new lines; `ended(state)` that the job has ended; `skipped()` that lines were not heard.
  constructor(url, store, { attempt, say, turned, stepped, added, ended, skipped }) {
    Object.assign(this, { url, store, attempt, say, turned, stepped, added, ended, skipped });
    this.queue = [];
    this.live = new LiveLines({ put: (line) => store.put(line), lost: (stream, before) => this.lose(stream, before) });
    this.clear();
  }

  clear() {
    this.live.reset();
    this.steps = new Map();   // position of a step -> number of its first line, for those that were heard
  }

  // Number of the line that is to come.
  get next() {
    return this.live.next;
  }

  get open() {
    return Boolean(this.stream && !this.stream.over);
  }

  connect() {
    this.say("connecting …");
    document.addEventListener("visibilitychange", () => this.wake());
    this.stream = new Stream(this.url, null, {
      open: () => this.say("live"),
      error: () => this.say("connecting again …"),
      message: (heard) => {
        if (!this.queue.length) requestAnimationFrame(() => this.flush());
        this.queue.push(JSON.parse(heard.data));
      },
      end: (heard) => {
        this.stream.end();
        const { state } = JSON.parse(heard.data);
        requestAnimationFrame(() => {
          this.flush();
          this.ended(state);
        });
      },
    });
  }

  // After a long time out of sight only the end is heard again; what lies between is fetched when it is looked at.
  wake() {
    if (document.hidden) {
      this.hiddenAt = performance.now();
    } else if (this.open && performance.now() - this.hiddenAt > LONG_HIDDEN_MILLISECONDS) {
      this.flush();
      this.stream.lastId = null;
      this.live.open.clear();
      this.skipped();
    }
  }

  flush() {
    const chunks = this.queue.splice(0);
    for (const chunk of chunks) {
      if (chunk.epoch > (this.attempt() ?? 0)) this.turned(chunk.epoch);
      if (chunk.epoch !== this.attempt()) continue;
      if (chunk.step >= 0 && !this.steps.has(chunk.step)) {
        this.steps.set(chunk.step, chunk.first_line);
        this.stepped(chunk.step);
      }
      this.live.add(chunk);
    }
    if (chunks.length) this.added();
  }

  // The line that goes on is the last one of its stream; it is fetched with its beginning.
  lose(stream, before) {
    for (let number = before - 1; number >= Math.max(0, before - 1000); number -= 1) {
      if (this.store.line(number)?.stream === stream) return this.store.forget(number);
    }
  }
}
