"""The buttons of a run's page: cancel and rerun, as forms that carry their session's csrf."""

from litestar import post
from litestar.params import URLEncodedBody
from litestar.response import Redirect

from services.ingest.authenticate import FromActor, check_csrf, require_page_developer
from services.ingest.give_command import ask_to_cancel_run, ask_to_rerun
from services.ingest.resources import FromResources
from services.ingest.show_runs import RunInPath
from services.ingest.sign_in import CsrfForm


@post("/runs/{run:str}/cancel", guards=[require_page_developer], include_in_schema=False, status_code=303)
async def press_cancel_run(
    run: RunInPath, data: URLEncodedBody[CsrfForm], resources: FromResources, actor: FromActor
) -> Redirect:
    """Cancel a run, and show it."""
    check_csrf(actor, data.csrf)
    await ask_to_cancel_run(resources.pool, run, actor, None)
    return Redirect(f"/runs/{run}", status_code=303)


@post("/runs/{run:str}/rerun", guards=[require_page_developer], include_in_schema=False, status_code=303)
async def press_rerun(
    run: RunInPath, data: URLEncodedBody[CsrfForm], resources: FromResources, actor: FromActor
) -> Redirect:
    """Run it again, and show the runs, where the new one appears."""
    check_csrf(actor, data.csrf)
    await ask_to_rerun(resources.pool, run, actor, None)
    return Redirect("/runs", status_code=303)
