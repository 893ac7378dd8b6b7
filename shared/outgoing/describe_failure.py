"""Why a request got no answer, without what an error may carry of the address or the answer."""

import os
import socket
import ssl
from collections.abc import Iterator

import httpcore


def describe_failure(error: BaseException) -> str:
    """Return a short reason that may be shown and logged."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"TLS: {cause.verify_message}"
            case ssl.SSLError():
                return f"TLS: {cause.reason or type(cause).__name__}"
            case socket.gaierror():
                return f"the name cannot be looked up: {cause.strerror}"
            case OSError(errno=int(number)):
                return f"no connection: {os.strerror(number)}"
    match error:
        case httpcore.ConnectTimeout():
            reason = "no connection in time"
        case httpcore.TimeoutException():
            reason = "no answer in time"
        case httpcore.ProtocolError():
            reason = "the connection was closed without an answer, or the answer is not HTTP"
        case _:
            reason = "the connection broke"
    return reason


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
