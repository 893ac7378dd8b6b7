"""Pages are rendered on the server, by templates that escape everything that is put into them."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig

from services.ingest.authenticate import Actor
from services.ingest.page_filters import (
    as_actor,
    as_clock,
    as_commit,
    as_duration,
    as_json,
    as_machine_time,
    as_mark,
    as_reason,
)
from shared.version import CODE_VERSION

_TEMPLATES: Final = Path(__file__).parent / "templates"


def template_config() -> TemplateConfig[JinjaTemplateEngine]:
    """Return the configuration of the template engine."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "actor": as_actor,
        "clock": as_clock,
        "commit": as_commit,
        "duration": as_duration,
        "json": as_json,
        "machine_time": as_machine_time,
        "mark": as_mark,
        "reason": as_reason,
    }
    # Changes with every release, so that browsers may keep the files of one.
    environment.globals["version"] = CODE_VERSION
    return TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment))


def page(name: str, actor: Actor | None, **context: Any) -> Template:
    """Return a page for whoever is signed in; no cache may keep it."""
    return Template(name, context={"actor": actor, **context}, headers={"Cache-Control": "no-store"})
