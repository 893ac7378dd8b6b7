"""Headers that every answer carries: what a browser may do with it is said once, strictly."""

from typing import Final

from litestar.types import Message, Scope

_CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

CONSTANT_HEADERS: Final = (
    (b"content-security-policy", _CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


async def add_constant_headers(message: Message, _: Scope) -> None:
    """Add them to the head of an answer; called for every message that is sent."""
    if message["type"] == "http.response.start":
        message["headers"] = [*message["headers"], *CONSTANT_HEADERS]
