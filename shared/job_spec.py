"""What a job is, as stored in `job_spec.spec`: a tagged union, told apart by `type`."""

import msgspec

Environment = dict[str, str]


class StepSpec(msgspec.Struct, frozen=True):
    """One command of a job: a script for the shell."""

    name: str
    run: str
    env: Environment = {}


class PlanSpec(msgspec.Struct, frozen=True, tag_field="type", tag="plan"):
    """Fetch the commit, and load and validate its pipeline file."""


class ShellSpec(msgspec.Struct, frozen=True, tag_field="type", tag="shell"):
    """Run the steps, one after the other, in a fresh checkout."""

    steps: list[StepSpec]
    env: Environment = {}


class HandlerSpec(msgspec.Struct, frozen=True, tag_field="type", tag="handler"):
    """Call the handler of the job's type; what it gets stands beside, in `job_spec.payload`."""


JobSpec = PlanSpec | ShellSpec | HandlerSpec
