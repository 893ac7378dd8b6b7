// Times, as people read them; they tick.

export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function ago(seconds) {
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

// Write all times of the page anew.
export function tick() {
  const now = Date.now();
  for (const running of document.querySelectorAll(".ticking")) {
    running.textContent = duration((now - Date.parse(running.dataset.since)) / 1000);
  }
  for (const time of document.querySelectorAll("time.when")) {
    const at = new Date(time.dateTime);
    time.title = at.toLocaleString();
    time.textContent = ago((now - at) / 1000);
  }
}
