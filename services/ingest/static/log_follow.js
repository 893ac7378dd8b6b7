// Follows the end of a log that grows, until somebody scrolls up.

export class Follower {
  constructor(list, box, toggle) {
    this.list = list;
    this.toggle = toggle;
    this.top = 0;
    toggle.addEventListener("change", () => { if (this.on) this.goToEnd(); });
    box.addEventListener("scroll", () => {
      // A box that grows leaves less way, and moves back by itself.
      if (box.scrollTop < Math.min(list.ownTop, list.way) - 3) this.stop();
      list.ownTop = box.scrollTop;
    }, { passive: true });
    // At the very beginning of a turn, before anything has moved: what is added meanwhile must not pull it back.
    box.addEventListener("wheel", (turned) => { if (turned.deltaY < 0) this.stop(); }, { passive: true });
  }

  get on() {
    return this.toggle.checked;
  }

  stop() {
    this.toggle.checked = false;
  }

  goToEnd() {
    this.toggle.checked = true;
    this.list.scrollToEnd();
  }
}
