"""Structured logs: one JSON object a line on standard error, with the ids of what the line is about.

Ids are given with `extra={"job_id": …}`, or for a stretch of code with `log_context`. Payloads and secrets are
never logged.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from uuid import UUID

import msgspec

_context: ContextVar[dict[str, object] | None] = ContextVar("howdah_log_context", default=None)
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


@contextmanager
def log_context(**ids: object) -> Iterator[None]:
    """Add ids to every line that is logged inside, also by tasks that are started there."""
    token = _context.set({**(_context.get() or {}), **ids})
    try:
        yield
    finally:
        _context.reset(token)


class JsonFormatter(logging.Formatter):
    """Render a record as one JSON object."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self._encoder = msgspec.json.Encoder(enc_hook=str)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _context.get() or {}
        line |= {key: value for key, value in vars(record).items() if key not in _OWN_ATTRIBUTES}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self._encoder.encode({key: _plain(value) for key, value in line.items()}).decode()


def _plain(value: object) -> object:
    return str(value) if isinstance(value, UUID) else value


def configure_logging(service: str, level: str) -> None:
    """Send all of the process's logs to standard error as JSON, from `level` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Its chatter about every reconnection says nothing that our own loops do not say.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
