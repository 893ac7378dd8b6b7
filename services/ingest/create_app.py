"""The application: which handlers there are, and what stands before them."""

from typing import Final

from litestar import Litestar, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.types import ControllerRouterHandler

from services.ingest.authenticate import SignInNeeded, provide_actor
from services.ingest.command_jobs import (
    cancel_job,
    cancel_jobs,
    discard_job,
    discard_jobs,
    redrive_job,
    redrive_jobs,
)
from services.ingest.enqueue_jobs import enqueue_jobs
from services.ingest.give_command import cancel_run, rerun_run, show_command
from services.ingest.list_deliveries import list_deliveries
from services.ingest.list_jobs import show_dead_letters, show_jobs
from services.ingest.manage_channels import delete_channel, enter_channel, show_channels
from services.ingest.manage_limits import delete_limit, put_limit, show_limit, show_limits
from services.ingest.manage_pipelines import (
    change_pipeline,
    enter_pipeline,
    remove_pipeline,
    show_pipeline,
    show_pipelines,
)
from services.ingest.manage_queues import pause_queue, resume_queue, show_queues
from services.ingest.manage_schedules import (
    delete_schedule,
    enter_schedule,
    patch_schedule,
    show_schedule,
    show_schedules,
)
from services.ingest.manage_tokens import issue_new_token, revoke_issued_token, show_tokens
from services.ingest.press_button import press_cancel_run, press_rerun
from services.ingest.press_job_button import (
    press_cancel_job,
    press_discard_all,
    press_discard_job,
    press_pause_queue,
    press_redrive_all,
    press_redrive_job,
    press_resume_queue,
)
from services.ingest.problem_details import log_surprise, problem_details_plugin
from services.ingest.read_document import JsonRequest
from services.ingest.read_log import read_log, read_raw_log
from services.ingest.receive_webhook import receive_webhook
from services.ingest.render_page import template_config
from services.ingest.report_health import report_health, report_readiness
from services.ingest.report_jobs import report_jobs
from services.ingest.report_metrics import report_metrics
from services.ingest.resources import Resources, keep_in_state, provide_resources
from services.ingest.search_job_log import search_job_log
from services.ingest.search_logs import show_found_logs
from services.ingest.set_headers import add_constant_headers
from services.ingest.show_docs import show_docs, show_docs_file
from services.ingest.show_job_pages import show_jobs_page
from services.ingest.show_job_types import show_job_type, show_job_types
from services.ingest.show_jobs import show_job, show_run_jobs
from services.ingest.show_lines import show_log_lines
from services.ingest.show_openapi import PublishedJobsPlugin, openapi_router
from services.ingest.show_outline import show_log_outline
from services.ingest.show_pages import show_job_page, show_run_page, show_runs_page
from services.ingest.show_runs import show_numbered_run, show_run, show_run_notifications, show_runs
from services.ingest.show_search_page import show_search_page
from services.ingest.show_static import show_static_file
from services.ingest.sign_in import lead_to_sign_in, show_home, show_sign_in, sign_in, sign_out
from services.ingest.start_run import start_run
from services.ingest.stream_all_logs import stream_all_logs
from services.ingest.stream_events import stream_events
from services.ingest.stream_job import stream_job
from services.ingest.stream_log import stream_log
from services.ingest.stream_run_logs import stream_run_logs
from shared.version import CODE_VERSION

_API_BODY_BYTES: Final = 1024 * 1024
_PAGE_BODY_BYTES: Final = 64 * 1024

_API: Final[list[ControllerRouterHandler]] = [
    show_pipelines,
    enter_pipeline,
    show_pipeline,
    change_pipeline,
    remove_pipeline,
    list_deliveries,
    start_run,
    show_numbered_run,
    show_runs,
    show_run,
    show_run_jobs,
    show_run_notifications,
    cancel_run,
    rerun_run,
    enqueue_jobs,
    show_jobs,
    show_dead_letters,
    show_job,
    cancel_job,
    redrive_job,
    discard_job,
    cancel_jobs,
    redrive_jobs,
    discard_jobs,
    report_jobs,
    show_job_types,
    show_job_type,
    show_queues,
    pause_queue,
    resume_queue,
    show_limits,
    show_limit,
    put_limit,
    delete_limit,
    show_schedules,
    enter_schedule,
    show_schedule,
    patch_schedule,
    delete_schedule,
    show_command,
    read_log,
    read_raw_log,
    show_log_lines,
    show_log_outline,
    search_job_log,
    show_found_logs,
    stream_log,
    stream_run_logs,
    stream_all_logs,
    stream_events,
    stream_job,
    show_channels,
    enter_channel,
    delete_channel,
    show_tokens,
    issue_new_token,
    revoke_issued_token,
]
_PAGES: Final[list[ControllerRouterHandler]] = [
    show_home,
    show_sign_in,
    sign_in,
    sign_out,
    show_runs_page,
    show_run_page,
    show_job_page,
    press_cancel_run,
    press_rerun,
    show_jobs_page,
    show_search_page,
    press_cancel_job,
    press_redrive_job,
    press_discard_job,
    press_redrive_all,
    press_discard_all,
    press_pause_queue,
    press_resume_queue,
    show_docs,
    show_docs_file,
    show_static_file,
]


def create_app(resources: Resources) -> Litestar:
    """Return the application. It opens nothing: `resources` are ready."""
    api = Router(
        "/api/v1",
        route_handlers=_API,
        request_class=JsonRequest,
        request_max_body_size=_API_BODY_BYTES,
        security=[{"bearer": []}],
    )
    pages = Router(
        "/",
        route_handlers=_PAGES,
        request_max_body_size=_PAGE_BODY_BYTES,
        exception_handlers={SignInNeeded: lead_to_sign_in},
    )
    return Litestar(
        route_handlers=[receive_webhook, report_health, report_readiness, report_metrics, api, pages],
        dependencies={"resources": provide_resources(resources), "actor": provide_actor()},
        state=keep_in_state(resources),
        plugins=[problem_details_plugin()],
        after_exception=[log_surprise],
        before_send=[add_constant_headers],
        template_config=template_config(),
        openapi_config=_openapi(),
        logging_config=None,
    )


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Howdah",
        version=CODE_VERSION,
        description="CI/CD on nothing but PostgreSQL. Errors are problem documents (RFC 9457).",
        openapi_router=openapi_router(),
        render_plugins=[PublishedJobsPlugin()],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http", scheme="bearer", description="An API token: `hwd_…`. Roles: viewer, developer, admin."
                )
            }
        ),
        tags=[
            Tag(name="webhooks", description="What forges and hooks call."),
            Tag(name="pipelines"),
            Tag(name="runs"),
            Tag(name="jobs"),
            Tag(name="logs", description="Search over the logs of all jobs."),
            Tag(name="schedules", description="Jobs that are enqueued by the clock."),
            Tag(name="streams", description="Server-sent events; `Last-Event-ID` resumes on any replica."),
            Tag(name="channels", description="Where notifications go."),
            Tag(name="tokens"),
            Tag(name="health", description="What a watchman asks: is it there, is it ready, how does it do."),
        ],
    )
