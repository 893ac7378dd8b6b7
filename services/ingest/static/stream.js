// An EventSource that is open while its tab is looked at: a browser has few connections for all tabs of a site.
// It goes on after the last event it has heard, as a browser does by itself when it was cut off; where a browser gives up,
// because the answer was an error, it asks again after a while.

const RETRY_MILLISECONDS = 3000;

export class Stream {
  constructor(url, lastId, handlers) {
    this.url = url;
    this.lastId = lastId;
    this.handlers = handlers;
    this.over = false;
    this.adjust = this.adjust.bind(this);
    this.close = this.close.bind(this);
    document.addEventListener("visibilitychange", this.adjust);
    addEventListener("pagehide", this.close);
    this.adjust();
  }

  adjust() {
    if (document.hidden) this.close();
    else if (!this.source && !this.over) this.open();
  }

  open() {
    const url = new URL(this.url, location);
    if (this.lastId) url.searchParams.set("after", this.lastId);
    this.source = new EventSource(url);
    for (const [name, handle] of Object.entries(this.handlers)) {
      this.source.addEventListener(name, (heard) => {
        if (heard.lastEventId) this.lastId = heard.lastEventId;
        handle(heard, this.source);
      });
    }
    this.source.addEventListener("error", (failed) => {
      if (failed.target.readyState !== EventSource.CLOSED || failed.target !== this.source) return;
      this.close();
      setTimeout(() => this.adjust(), RETRY_MILLISECONDS * (1 + Math.random()));
    });
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  end() {
    this.over = true;
    this.close();
    document.removeEventListener("visibilitychange", this.adjust);
    removeEventListener("pagehide", this.close);
  }
}
