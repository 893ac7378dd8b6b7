"""The handlers that Howdah brings along: `sleep`, `http_request`, `send_email`, `transform` and `fail`.

Importing this package defines them all. What they need beyond that is imported when it is first used.
"""

from shared.jobs.builtin import fail, http_request, send_email, sleep, transform

__all__ = ["fail", "http_request", "send_email", "sleep", "transform"]
