// graphile-worker. Another "queue" is another task identifier: what graphile-worker calls a queue runs one job at a time.
import { countHandled, load, now, serveCommands } from "./serve_commands.mjs";

const { Logger, makeWorkerUtils, run } = load("graphile-worker");
const { Pool } = load("pg");

const BULK = 20_000;
// Its performance page's own settings for best throughput.
const TUNED = { concurrentJobs: 24, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
const SETTINGS = { tuned: TUNED, defaults: {} };
// Its default is 10.
const POOL = { tuned: 25, defaults: 10 };

const quiet = new Logger(() => () => {});
let pool, utils, runner, chosen;

async function connectAll(size) {
  const clients = await Promise.all(Array.from({ length: size }, () => pool.connect()));
  clients.forEach((client) => client.release());
}

await serveCommands({
  async open({ dsn, settings }) {
    chosen = settings;
    pool = new Pool({ connectionString: dsn, max: POOL[settings] });
    pool.on("error", () => {}); // the database may be dropped under an idle connection
    pool.on("connect", (client) => client.on("error", () => {}));
    utils = await makeWorkerUtils({ pgPool: pool, logger: quiet });
  },
  async install() {
    await utils.migrate();
  },
  async enqueue({ jobs, bulk, other, future }) {
    const identifier = other ? "other" : "noop";
    const spec = future ? { runAt: new Date(Date.now() + 3_600_000) } : {};
    const batch = Array.from({ length: Math.min(jobs, BULK) }, () => ({ identifier, payload: {}, ...spec }));
    const began = now();
    if (bulk) {
      for (let left = jobs; left > 0; left -= BULK) await utils.addJobs(left < BULK ? batch.slice(0, left) : batch);
    } else {
      for (let left = jobs; left > 0; left -= 1) await utils.addJob(identifier, {}, spec);
    }
    return { began, seconds: now() - began };
  },
  async work() {
    await connectAll(POOL[chosen]);
    runner = await run({
      pgPool: pool,
      preset: { worker: SETTINGS[chosen] },
      taskList: { noop: () => countHandled(1) },
      noHandleSignals: true,
      logger: quiet,
    });
  },
  async rest() {
    await runner.stop();
  },
  async close() {
    await utils.release();
    await pool.end();
  },
});
