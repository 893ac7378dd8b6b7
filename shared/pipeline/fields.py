"""Every key that the pipeline file may hold, and those that it may not hold yet.

The one table of them: the loader, the suggestions and the JSON Schema are all driven by it.
"""

from typing import Final

from shared.pipeline import limits
from shared.pipeline.kinds import (
    BranchPattern,
    Choice,
    Duration,
    Events,
    Field,
    JobReference,
    JobType,
    JsonValue,
    KeyRule,
    ListOf,
    MapOf,
    OneOrMany,
    Section,
    Text,
)

EVENTS: Final = ("push", "manual")
_EVENTS_LATER: Final = ("pull_request", "tag", "cron", "api", "chained")

_NAME: Final = Text(limits.MAX_NAME_CHARACTERS)
_SCRIPT: Final = Text(limits.MAX_SCRIPT_BYTES, verbatim=True)
_TIMEOUT: Final = Duration(limits.MAX_TIMEOUT_SECONDS)
_BRANCHES: Final = OneOrMany(BranchPattern(limits.MAX_PATTERN_CHARACTERS), limits.MAX_PATTERNS)
_ENV: Final = MapOf(
    KeyRule("variable", limits.VARIABLE_NAME, reserved_prefix=limits.RESERVED_VARIABLE_PREFIX),
    Text(limits.MAX_VARIABLES_BYTES, verbatim=True, may_be_empty=True),
    max_entries=limits.MAX_VARIABLES,
    max_bytes=limits.MAX_VARIABLES_BYTES,
    may_be_empty=True,
)

PUSH: Final = Section(
    "`on.push`",
    (
        Field(
            "branches",
            _BRANCHES,
            "Globs of the branches whose pushes start a run; every branch, if left out.",
        ),
    ),
    later=("paths", "tags"),
    may_be_empty=True,
)

ON: Final = Section(
    "`on`",
    (Field("push", PUSH, "A push to a branch starts a run.", required=True),),
    later=("pull_request", "cron", "manual", "tag"),
)

DEFAULTS: Final = Section(
    "`defaults`",
    (Field("timeout", _TIMEOUT, "How long a job may run, if it does not say so itself."),),
    later=("image", "retry"),
    may_be_empty=True,
)

WHEN: Final = Section(
    "`when`",
    (
        Field(
            "event",
            OneOrMany(Choice(EVENTS, _EVENTS_LATER), limits.MAX_EVENTS),
            "Events for which the job runs.",
        ),
        Field("branch", _BRANCHES, "Globs of the branches for which the job runs."),
    ),
    later=("paths",),
)

STEP: Final = Section(
    "a step",
    (
        Field(
            "run",
            _SCRIPT,
            "The script, given to the shell as it stands; nothing is substituted.",
            required=True,
        ),
        Field("name", _NAME, "What people read; the first line of the script, if left out."),
        Field("env", _ENV, "Variables of this step, over those of the job."),
    ),
    other_names=(("script", "run"), ("commands", "run"), ("command", "run"), ("environment", "env")),
)

TASK: Final = Section(
    "`task`",
    (
        Field("type", JobType(), "The type of the job: the name of its handler.", required=True),
        Field("payload", JsonValue(limits.MAX_PAYLOAD_BYTES), "What the handler gets; null, if left out."),
    ),
    other_names=(("handler", "type"), ("name", "type"), ("with", "payload"), ("args", "payload")),
)

JOB: Final = Section(
    "a job",
    (
        Field("run", _SCRIPT, "The script of a job of one step."),
        Field("steps", ListOf(STEP, limits.MAX_STEPS), "Scripts, run one after the other until one fails."),
        Field("task", TASK, "A handler to call instead of scripts; nothing is checked out."),
        Field(
            "needs",
            OneOrMany(JobReference(), limits.MAX_JOBS),
            "Jobs that must succeed before this one starts.",
        ),
        Field("env", _ENV, "Variables of this job, over those of the file."),
        Field("timeout", _TIMEOUT, "How long the job may run, such as `20m` or `1h30m`; at most 24 hours."),
        Field("when", WHEN, "When the job runs; it is skipped otherwise, and all that need it."),
    ),
    later=(
        "matrix",
        "image",
        "services",
        "cache",
        "retry",
        "reports",
        "environment",
        "approve",
        "secrets",
        "always",
        "concurrency",
    ),
    other_names=(
        ("script", "run"),
        ("commands", "run"),
        ("command", "run"),
        ("depends_on", "needs"),
        ("timeout-minutes", "timeout"),
        ("if", "when"),
        ("only", "when"),
        ("rules", "when"),
        ("variables", "env"),
    ),
    exactly_one=("run", "steps", "task"),
    only_with=(("env", ("run", "steps")),),
)

JOBS: Final = MapOf(KeyRule("job", limits.JOB_KEY, reserved=limits.RESERVED_JOB_KEYS), JOB, max_entries=limits.MAX_JOBS)

PIPELINE: Final = Section(
    "the file",
    (
        Field("name", _NAME, "What people read."),
        Field("on", Events(Choice(("push",), ON.later), ON), "The events that start a run.", required=True),
        Field("env", _ENV, "Variables of all jobs."),
        Field("defaults", DEFAULTS, "What holds for every job that does not say otherwise."),
        Field("jobs", JOBS, "The jobs, by their keys.", required=True),
    ),
    later=("concurrency", "notify"),
    other_names=(("variables", "env"), ("pipeline", "jobs"), ("stages", "jobs")),
)

SECTIONS: Final = (PIPELINE, ON, PUSH, DEFAULTS, JOB, STEP, TASK, WHEN)
