"""The buttons of the pages of jobs: cancel, redrive, discard, of one job or all dead letters; pause and resume."""

from typing import Annotated, Final

from litestar import post
from litestar.params import URLEncodedBody
from litestar.response import Redirect
from msgspec import Meta

from services.ingest.authenticate import FromActor, check_csrf, require_page_developer
from services.ingest.command_jobs import ask_about_ended_job, ask_about_jobs, ask_to_cancel_job
from services.ingest.give_command import Reason
from services.ingest.manage_queues import QueueInPath, ask_to_pause, ask_to_resume
from services.ingest.read_log import JobInPath
from services.ingest.resources import FromResources
from services.ingest.sign_in import CsrfForm
from shared.job_filter import JobFilter

_JOBS: Final = "/jobs"
Word = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00]*$")]


class JobForm(CsrfForm, frozen=True):
    """A button of a list, or of a job's page; `back` is the page to show afterwards."""

    back: Annotated[str, Meta(max_length=1000)] = ""


class QueueForm(JobForm, frozen=True):
    """A button of a queue, with a line that says why."""

    why: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")] = ""


class DeadLettersForm(JobForm, frozen=True):
    """A button for all dead letters, of a type, a queue or a key if they are given."""

    type: Word = ""
    queue: Word = ""
    concurrency_key: Word = ""


@post("/jobs/{job:str}/cancel", guards=[require_page_developer], include_in_schema=False, status_code=303)
async def press_cancel_job(
    job: JobInPath, data: URLEncodedBody[JobForm], resources: FromResources, actor: FromActor
) -> Redirect:
    """Cancel a job."""
    check_csrf(actor, data.csrf)
    await ask_to_cancel_job(resources.pool, job, actor, None)
    return _back(data, f"{_JOBS}/{job}")


@post("/jobs/{job:str}/redrive", guards=[require_page_developer], include_in_schema=False, status_code=303)
async def press_redrive_job(
    job: JobInPath, data: URLEncodedBody[JobForm], resources: FromResources, actor: FromActor
) -> Redirect:
    """Try a job anew that did not end well."""
    check_csrf(actor, data.csrf)
    await ask_about_ended_job(resources.pool, "redrive", job, actor, None)
    return _back(data, f"{_JOBS}/{job}")


@post("/jobs/{job:str}/discard", guards=[require_page_developer], include_in_schema=False, status_code=303)
async def press_discard_job(
    job: JobInPath, data: URLEncodedBody[JobForm], resources: FromResources, actor: FromActor
) -> Redirect:
    """Give up a dead job."""
    check_csrf(actor, data.csrf)
    await ask_about_ended_job(resources.pool, "discard", job, actor, None)
    return _back(data, f"{_JOBS}/{job}")


@post("/dead-letters/redrive", guards=[require_page_developer], include_in_schema=False, status_code=303)
async def press_redrive_all(
    data: URLEncodedBody[DeadLettersForm], resources: FromResources, actor: FromActor
) -> Redirect:
    """Try all dead letters anew that the page shows, on all of its pages."""
    check_csrf(actor, data.csrf)
    await ask_about_jobs(resources.pool, "redrive", _dead(data), actor, None)
    return _back(data, _JOBS)


@post("/dead-letters/discard", guards=[require_page_developer], include_in_schema=False, status_code=303)
async def press_discard_all(
    data: URLEncodedBody[DeadLettersForm], resources: FromResources, actor: FromActor
) -> Redirect:
    """Give up all dead letters that the page shows, on all of its pages."""
    check_csrf(actor, data.csrf)
    await ask_about_jobs(resources.pool, "discard", _dead(data), actor, None)
    return _back(data, _JOBS)


@post("/queues/{queue:str}/pause", guards=[require_page_developer], include_in_schema=False, status_code=303)
async def press_pause_queue(
    queue: QueueInPath, data: URLEncodedBody[QueueForm], resources: FromResources, actor: FromActor
) -> Redirect:
    """Start nothing more of a queue."""
    check_csrf(actor, data.csrf)
    await ask_to_pause(resources.pool, queue, actor, Reason(data.why or None))
    return _back(data, _JOBS)


@post("/queues/{queue:str}/resume", guards=[require_page_developer], include_in_schema=False, status_code=303)
async def press_resume_queue(
    queue: QueueInPath, data: URLEncodedBody[QueueForm], resources: FromResources, actor: FromActor
) -> Redirect:
    """Start from a queue again."""
    check_csrf(actor, data.csrf)
    await ask_to_resume(resources.pool, queue, actor, Reason(data.why or None))
    return _back(data, _JOBS)


def _dead(form: DeadLettersForm) -> JobFilter:
    return JobFilter(
        states=("dead",),
        type=form.type or None,
        queue=form.queue or None,
        concurrency_key=form.concurrency_key or None,
    )


def _back(form: JobForm, otherwise: str) -> Redirect:
    """Lead to a page of jobs; to nowhere else, whatever the form says."""
    is_ours = form.back == _JOBS or form.back.startswith((f"{_JOBS}?", f"{_JOBS}/"))
    return Redirect(form.back if is_ours else otherwise, status_code=303)
