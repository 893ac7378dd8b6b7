// What stands above the lines of a log: how it stands, which attempt it is, the line that tells why it failed.

const ENDINGS = { succeeded: "succeeded", failed: "failed", canceled: "was canceled" };

export class Banner {
  constructor(root, api, chooseAttempt) {
    this.root = root;
    this.api = api;
    this.status = root.querySelector("[role=status]");
    this.attempts = root.querySelector("[name=attempt]");
    this.attempts.addEventListener("change", () => chooseAttempt(Number(this.attempts.value)));
  }

  say(text) {
    this.status.textContent = text;
  }

  sayEnd(lines, state) {
    const many = `${lines.toLocaleString()} line${lines === 1 ? "" : "s"}`;
    if (!state) this.say(many);
    else if (lines) this.say(`${many}: the job ${ENDINGS[state] ?? `is ${state}`}`);
    else this.say("the job wrote nothing");
  }

  show(outline) {
    this.showAttempts(outline);
    this.showFailing(outline);
    this.root.querySelector("[data-link=text]").href = this.api.textUrl(outline.attempt);
    this.root.querySelector("[data-link=raw]").href = this.api.rawUrl(outline.attempt);
  }

  showAttempts({ attempt, attempts }) {
    this.attempts.hidden = attempts.length < 2;
    this.attempts.replaceChildren(...attempts.map((epoch) => new Option(`attempt ${epoch}`, epoch, false, epoch === attempt)));
  }

  showFailing({ failing_line: line, failing_text: text }) {
    const shown = this.root.querySelector(".log-failing");
    shown.hidden = line === null;
    if (line === null) return;
    const link = shown.querySelector("a");
    link.href = `#L${line + 1}`;
    link.dataset.jump = line;
    link.querySelector("b").textContent = `line ${(line + 1).toLocaleString()}`;
    link.querySelector("code").textContent = text ?? "";
  }
}
