// pg-boss.
import { countHandled, load, now, serveCommands } from "./serve_commands.mjs";

const { PgBoss } = load("pg-boss");

const BULK = 20_000;
const QUEUES = ["noop", "other"];
const BOSS = { tuned: { useListenNotify: true }, defaults: {} };
const WORK = { tuned: { batchSize: 2000, burstWhenBatchFull: true }, defaults: {} };

let boss, work;

await serveCommands({
  async open({ dsn, settings }) {
    work = WORK[settings];
    boss = new PgBoss({ connectionString: dsn, ...BOSS[settings] });
    boss.on("error", () => {}); // the database may be dropped under an idle connection
    await boss.start();
    for (const queue of QUEUES) {
      await boss.createQueue(queue);
      await boss.updateQueue(queue, { notify: settings === "tuned" });
    }
  },
  async install() {},
  async enqueue({ jobs, bulk, other, future }) {
    const queue = other ? "other" : "noop";
    const spec = future ? { startAfter: 3600 } : {};
    const batch = Array.from({ length: Math.min(jobs, BULK) }, () => ({ data: {}, ...spec }));
    const began = now();
    if (bulk) {
      for (let left = jobs; left > 0; left -= BULK) await boss.insert(queue, left < BULK ? batch.slice(0, left) : batch);
    } else {
      for (let left = jobs; left > 0; left -= 1) await boss.send(queue, {}, spec);
    }
    return { began, seconds: now() - began };
  },
  async work() {
    await boss.work("noop", work, async (jobs) => countHandled(jobs.length));
  },
  async rest() {
    await boss.offWork("noop");
  },
  async close() {
    await boss.stop({ graceful: false, close: true });
  },
});
