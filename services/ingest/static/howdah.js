// Howdah's pages, made live: times tick, what has changed is fetched again, logs are read and followed.
// Text from jobs is only ever set as text.
import { LogViewer } from "./log_viewer.js";
import { watch } from "./refresh.js";
import { tick } from "./times.js";

const live = document.querySelector("[data-live]");
if (live) watch(live);
const log = document.getElementById("log");
if (log) new LogViewer(log);
tick();
setInterval(tick, 1000);
