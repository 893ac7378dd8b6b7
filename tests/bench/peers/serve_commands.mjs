// A driver's side of driver_process.py: one command a line from standard input, one answer a line to standard output.
// Between answers it says how many jobs have been handled so far, and when the first of those that are news was.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const REPORT_AFTER_MS = 2;

/** Import a package from the folder that install_peers.py filled; a script's own place says nothing of it. */
export const load = createRequire(`${process.env.BENCH_PACKAGES}/`);

/** Seconds of the monotonic clock, which all processes of a machine share. */
export const now = () => Number(process.hrtime.bigint()) / 1e9;

let handled = 0;
let reporting = false;

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Count jobs whose handler runs now. */
export function countHandled(jobs) {
  handled += jobs;
  if (reporting) return;
  reporting = true;
  const at = now();
  setTimeout(() => {
    reporting = false;
    say({ handled, at });
  }, REPORT_AFTER_MS);
}

/** Carry out commands, one after the other, until standard input ends. */
export async function serveCommands(commands) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...words } = JSON.parse(line);
    try {
      say({ answer: (await commands[name](words)) ?? null });
    } catch (error) {
      say({ error: String(error?.stack ?? error) });
    }
  }
  process.exit(0);
}
