"""From plain data that has no problems to the typed definition."""

from typing import Any

from shared.pipeline.definition import Defaults, Job, Pipeline, Push, Step, Task, Triggers, When


def build_definition(data: dict[str, Any]) -> Pipeline:
    """Return the definition; `data` is what the field tables made of the file, free of problems."""
    push = data["on"].get("push")
    return Pipeline(
        on=Triggers(push=None if push is None else Push(_optional_tuple(push.get("branches")))),
        jobs=tuple(_build_job(key, job) for key, job in data["jobs"].items()),
        name=data.get("name"),
        env=data.get("env", {}),
        defaults=Defaults(timeout_seconds=data.get("defaults", {}).get("timeout")),
    )


def _build_job(key: str, data: dict[str, Any]) -> Job:
    task = data.get("task")
    steps = data.get("steps") or ([] if task else [{"run": data["run"]}])
    when = data.get("when", {})
    return Job(
        key=key,
        steps=tuple(Step(run=step["run"], name=step.get("name"), env=step.get("env", {})) for step in steps),
        task=None if task is None else Task(type=task["type"], payload=task.get("payload")),
        needs=tuple(reference.key for reference in data.get("needs", ())),
        env=data.get("env", {}),
        timeout_seconds=data.get("timeout"),
        when=When(_optional_tuple(when.get("event")), _optional_tuple(when.get("branch"))),
    )


def _optional_tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
