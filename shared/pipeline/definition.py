"""The pipeline file's meaning, typed: what the plan job stores and the scheduler expands.

Lists, not mappings, wherever order counts: JSONB does not keep the order of keys. A key that this version
does not know is refused on decoding too: an older scheduler must not drop what a newer executor has read.
"""

from typing import Any

import msgspec

Variables = dict[str, str]


class Push(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which pushes start a run; `branches` are globs, None means every branch."""

    branches: tuple[str, ...] | None = None


class Triggers(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The events that start a run."""

    push: Push | None = None


class Defaults(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What holds for every job that does not say otherwise."""

    timeout_seconds: int | None = None


class When(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The events, and the globs of branches, for which a job runs; None leaves that side open."""

    events: tuple[str, ...] | None = None
    branches: tuple[str, ...] | None = None


class Step(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One script of a job; `env` is what it has beyond, or other than, the job's."""

    run: str
    name: str | None = None
    env: Variables = {}


class Task(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A handler to call: the type of the job, and what it gets, as JSON."""

    type: str
    payload: Any = None


class Job(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A job as written; `needs` are keys of other jobs. It has steps, or a task."""

    key: str
    steps: tuple[Step, ...] = ()
    task: Task | None = None
    needs: tuple[str, ...] = ()
    env: Variables = {}
    timeout_seconds: int | None = None
    when: When = When()


class Pipeline(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A whole pipeline file."""

    on: Triggers
    jobs: tuple[Job, ...]
    name: str | None = None
    env: Variables = {}
    defaults: Defaults = Defaults()
