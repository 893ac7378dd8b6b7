"""Settings: one frozen Struct per service, read from `HOWDAH_*` variables and `.env`; every error is told at once.

A field `database_url` is read from `HOWDAH_DATABASE_URL`, or from the file that `HOWDAH_DATABASE_URL_FILE`
names (a secret mounted as a file, or `/dev/fd/N`). The process environment goes before `.env`. Lists are
separated by commas.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar, get_origin, get_type_hints

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

from shared.errors import ConfigurationError

PREFIX = "HOWDAH_"

Config = TypeVar("Config", bound=msgspec.Struct)

PositiveInt = Annotated[int, Meta(ge=1)]
PositiveSeconds = Annotated[float, Meta(gt=0)]


class ServiceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs to know."""

    # Connection URI of the service's own role; may lead through a pooler in transaction mode.
    database_url: str
    # The same, never through a pooler: for LISTEN and advisory locks. Empty: as database_url.
    direct_database_url: str = ""
    # False behind a pooler that cannot keep prepared statements apart.
    prepare_statements: bool = True
    log_level: str = "info"

    def listen_url(self) -> str:
        """Return the URI for connections that must not be pooled."""
        return self.direct_database_url or self.database_url


def load_config(
    config_type: type[Config], environ: Mapping[str, str] | None = None, dotenv: Path | None = None
) -> Config:
    """Read the settings of one service.

    Raises `ConfigurationError`, which names every missing or malformed variable.
    """
    process = os.environ if environ is None else environ
    file = dotenv_values(Path(".env") if dotenv is None else dotenv)
    sources = (process, {name: value for name, value in file.items() if value is not None})
    hints = get_type_hints(config_type, include_extras=True)
    values: dict[str, object] = {}
    problems: list[str] = []
    for field in msgspec.structs.fields(config_type):
        name = PREFIX + field.name.upper()
        try:
            text = _text_of(name, sources)
            if text is not None:
                values[field.name] = _converted(text, hints[field.name])
            elif field.required:
                problems.append(f"{name} is not set (nor {name}_FILE)")
        except (OSError, ValueError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise ConfigurationError("bad settings:\n" + "\n".join(f"  {problem}" for problem in problems))
    return config_type(**values)


def _text_of(name: str, sources: Sequence[Mapping[str, str]]) -> str | None:
    """Return a setting from the first source that has it, under its own name or as a file's."""
    for source in sources:
        if name in source:
            return source[name]
        if f"{name}_FILE" in source:
            return _read_file(source[f"{name}_FILE"]).strip()
    return None


def _read_file(path: str) -> str:
    """Read a file, or an inherited descriptor: `/dev/fd` cannot be opened once a process is not dumpable."""
    descriptor = path.removeprefix("/dev/fd/")
    if descriptor.isdecimal():
        with os.fdopen(int(descriptor)) as stream:
            return stream.read()
    return Path(path).read_text()


def _converted(text: str, hint: object) -> object:
    if get_origin(hint) is list:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return msgspec.convert(parts, hint, strict=False)
    if hint is Path:
        return Path(text)
    return msgspec.convert(text, hint, strict=False)
