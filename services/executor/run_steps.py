"""A shell job: its steps, one after the other, in a fresh checkout, with only the environment that was declared."""

from typing import Final

import anyio
import msgspec

from services.executor.attempt_log import AttemptLog, StepRecord, now
from services.executor.find_failing_line import find_failing_line
from services.executor.finish_jobs import AttemptEnd
from services.executor.hold_jobs import HeldJob, Interruption
from services.executor.obtain_work_tree import obtain_work_tree
from services.executor.open_workspace import Workspace, open_workspace
from services.executor.queries.claim_jobs import ClaimJobsRow
from services.executor.resolve_run_as import give_to
from services.executor.run_command import Command, ExitStatus, Script, start_command
from services.executor.spawn_process import OutputStream
from services.executor.surroundings import Surroundings
from shared.job_spec import Environment, ShellSpec, StepSpec
from shared.queries.models import AttemptOutcome

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def run_steps(held: HeldJob, spec: ShellSpec, log: AttemptLog, around: Surroundings) -> AttemptEnd:
    """Run the steps until one fails; returns how that ended. An interruption ends the command at hand.

    Raises `GitError`, `SealError`, `CommandStartError`.
    """
    job = held.job
    attempt_name = f"{job.job_id}-{job.epoch}"
    async with open_workspace(
        around.state, attempt_name, run_as=around.run_as, reaper_pid=around.reaper_pid
    ) as workspace:
        await _check_out(held, workspace, around)
        temporary = workspace.home / "tmp"
        if held.interruption is None:
            temporary.mkdir(mode=0o700)
            give_to(around.run_as, temporary)
        for position, step in enumerate(spec.steps):
            if held.interruption is not None:
                break
            environment = _environment(job, spec, step, workspace, around)
            status = await _run_step(
                held, position, step, environment=environment, workspace=workspace, log=log, around=around
            )
            if status.code != 0 and held.interruption is None:
                how = f"was ended by signal {status.signal}" if status.signal else f"ended with exit code {status.code}"
                log.note(f"step {position + 1} {how}", step=position)
                return AttemptEnd(
                    AttemptOutcome.FAILED,
                    exit_code=status.code,
                    error=f"step {position + 1} ({step.name}) {how}",
                    failing=find_failing_line(log.last_output(position), status.code),
                )
    return AttemptEnd(AttemptOutcome.SUCCEEDED, exit_code=0)


async def _check_out(held: HeldJob, workspace: Workspace, around: Surroundings) -> None:
    job = held.job
    if job.repository_url is None or job.commit_sha is None:
        raise ValueError(f"job {job.job_id} has nothing to check out")
    credential = around.git_credential(job)
    with anyio.CancelScope() as scope, held.when_interrupted(scope.cancel):
        await obtain_work_tree(
            around.mirrors,
            url=job.repository_url,
            ref=job.ref,
            commit=job.commit_sha,
            into=workspace.checkout,
            credential=credential,
            run_as=around.run_as,
        )


async def _run_step(
    held: HeldJob,
    position: int,
    step: StepSpec,
    *,
    environment: Environment,
    workspace: Workspace,
    log: AttemptLog,
    around: Surroundings,
) -> ExitStatus:
    begun = StepRecord(position, step.name, log.next_line, now())
    log.record_step(begun)

    async def on_output(stream: OutputStream, data: bytes, at: float) -> None:
        await log.write(stream, position, data, at)

    async with start_command(
        Script(text=step.run, path=workspace.scripts / f"step-{position + 1}"),
        cwd=workspace.checkout,
        env=environment,
        on_output=on_output,
        mark=workspace.mark,
        run_as=around.run_as,
        reaper_pid=around.reaper_pid,
    ) as command:
        status = await _wait_or_terminate(held, command, around.grace_seconds)
    log.record_step(msgspec.structs.replace(begun, ended_at=now(), exit_code=status.code))
    return status


async def _wait_or_terminate(held: HeldJob, command: Command, grace_seconds: float) -> ExitStatus:
    """Wait for the command's end; at an interruption, ask it to end, and leave it no choice after the grace."""
    interrupted = anyio.Event()

    async def terminate_when_interrupted() -> None:
        await interrupted.wait()
        await command.terminate(0 if held.interruption is Interruption.LOST else grace_seconds)

    with held.when_interrupted(interrupted.set):
        async with anyio.create_task_group() as beside:
            beside.start_soon(terminate_when_interrupted)
            status = await command.wait()
            beside.cancel_scope.cancel()
    return status


def _environment(
    job: ClaimJobsRow, spec: ShellSpec, step: StepSpec, workspace: Workspace, around: Surroundings
) -> Environment:
    """Return the whole environment of a step; what Howdah sets cannot be overridden, see docs/pipeline-file.md."""
    told = {
        "HOWDAH_PIPELINE": job.pipeline_name,
        "HOWDAH_RUN_ID": job.run_id,
        "HOWDAH_RUN_NUMBER": job.run_number,
        "HOWDAH_JOB": job.key,
        "HOWDAH_JOB_ID": job.job_id,
        "HOWDAH_ATTEMPT": job.epoch,
        "HOWDAH_EVENT": job.event,
        "HOWDAH_REF": job.ref,
        "HOWDAH_BRANCH": job.branch,
        "HOWDAH_COMMIT": job.commit_sha,
        "HOWDAH_COMMIT_BEFORE": job.before_sha,
        "HOWDAH_COMMIT_TITLE": job.title,
        "HOWDAH_COMMIT_AUTHOR": job.author,
        "HOWDAH_WORKSPACE": workspace.checkout,
    }
    user = {} if around.run_as is None else {"USER": around.run_as.user, "LOGNAME": around.run_as.user}
    return {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        **user,
        **(job.pipeline_env or {}),
        **spec.env,
        **step.env,
        "CI": "true",
        "HOWDAH": "true",
        "HOME": str(workspace.home),
        "TMPDIR": str(workspace.home / "tmp"),
        **{name: str(value).replace("\0", "") for name, value in told.items() if value is not None},
    }
