// Steps and groups of a log, as sections that fold: what the server knows, and what the stream has told since.

// `opened` remembers, by section, whether it was open when the page first saw it: nothing folds under a reader's eyes.
export function readSections(outline, live, total, opened) {
  const steps = readSteps(outline, live, total);
  const groups = outline.groups.map((group) => {
    const step = steps.find((known) => known.position === group.step);
    const end = step ? step.to : total;
    const closed = group.line_count !== null && group.line_count !== undefined;
    return {
      id: `g${group.first_line}-${group.name}`, kind: "group", name: group.name || "group", from: group.first_line,
      to: Math.min(end, closed ? group.first_line + group.line_count : end), closed,
    };
  });
  const sections = [...steps, ...groups].filter((section) => section.kind === "step" || section.to > section.from);
  sections.sort((one, other) => one.from - other.from || (one.kind === "step" ? -1 : other.kind === "step" ? 1 : other.to - one.to));
  for (const section of sections) {
    if (!opened.has(section.id)) opened.set(section.id, opened.seen || opensByItself(section, outline, steps));
    section.opens = opened.get(section.id);
  }
  // What comes up while somebody looks is open.
  opened.seen = true;
  return sections;
}

function readSteps(outline, live, total) {
  const steps = outline.steps.map((step) => ({
    id: `s${step.position}`, kind: "step", position: step.position, name: step.name, from: step.first_line,
    to: step.first_line + step.line_count, state: stateOf(step, outline.ended), exitCode: step.exit_code,
    startedAt: step.started_at ? Date.parse(step.started_at) : null, endedAt: step.ended_at ? Date.parse(step.ended_at) : null,
  }));
  for (const [position, from] of live) {
    if (!steps.some((step) => step.position === position)) {
      steps.push({ id: `s${position}`, kind: "step", position, name: `Step ${position + 1}`, from, to: from, state: "running", exitCode: null, startedAt: null, endedAt: null });
    }
  }
  steps.sort((one, other) => one.position - other.position);
  // A step that goes on has the lines that have come since; one ends where the next begins.
  steps.forEach((step, index) => {
    const next = steps[index + 1];
    if (next) step.to = Math.max(step.from, next.from);
    else if (!outline.ended) step.to = Math.max(step.to, total);
  });
  return steps;
}

function stateOf(step, ended) {
  if (step.exit_code === 0) return "succeeded";
  if (step.exit_code !== null && step.exit_code !== undefined) return "failed";
  return step.ended_at || ended ? "canceled" : "running";
}

function opensByItself(section, outline, steps) {
  const failing = outline.failing_line;
  if (failing !== null && failing !== undefined && section.from <= failing && failing < section.to) return true;
  if (section.kind === "group") return !section.closed && !outline.ended;
  return section.state !== "succeeded" || steps.length === 1;
}

// When the step that holds a line began: from there its times are counted.
export function stepStarts(sections) {
  return new Map(sections.filter((section) => section.kind === "step").map((step) => [step.position, step.startedAt]));
}
