// What a browser remembers of its reader: how logs are shown, and, for a tab, what was folded.

const TIMES = "howdah-log-times";
const WRAP = "howdah-log-wrap";
const MOST_FOLDS = 500;

function read(storage, key) {
  try {
    return storage.getItem(key);
  } catch {
    return null;   // the browser keeps nothing for this site
  }
}

function write(storage, key, value) {
  try {
    storage.setItem(key, value);
  } catch {
    // It holds for as long as the page is open.
  }
}

// Tie the controls of a log to what is remembered. `changed()` is called when somebody has changed one.
export function keepSettings(root, changed) {
  const times = root.querySelector("[name=times]");
  const wrap = root.querySelector("[name=wrap]");
  const remembered = read(localStorage, TIMES);
  if ([...times.options].some((option) => option.value === remembered)) times.value = remembered;
  wrap.checked = read(localStorage, WRAP) !== "off";
  const settings = { get times() { return times.value; } };
  const apply = () => {
    root.classList.toggle("wrapped", wrap.checked);
    root.dataset.times = times.value;
  };
  for (const control of [times, wrap]) {
    control.addEventListener("change", () => {
      write(localStorage, TIMES, times.value);
      write(localStorage, WRAP, wrap.checked ? "on" : "off");
      apply();
      changed();
    });
  }
  apply();
  return settings;
}

// A map of what somebody has folded open or shut in a log; it lasts as long as the tab.
export function rememberFolds(job, attempt) {
  const key = `howdah-folds-${job}-${attempt}`;
  const folds = new Map();
  try {
    for (const [id, open] of JSON.parse(read(sessionStorage, key) ?? "[]")) folds.set(String(id), Boolean(open));
  } catch {
    // Not what this page has written: as if nothing were.
  }
  const set = folds.set.bind(folds);
  let saving = false;
  folds.set = (id, open) => {
    // Once for all that are folded together.
    if (!saving) queueMicrotask(() => {
      saving = false;
      write(sessionStorage, key, JSON.stringify([...folds].slice(-MOST_FOLDS)));
    });
    saving = true;
    return set(id, open);
  };
  return folds;
}
