"""How long requests take until their answer begins, by what was asked for: a histogram of this process."""

import time
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
# What strangers make up would be a series each.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class RequestMeter:
    """Counts the requests of one process. A stream counts when it begins."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._seconds = Histogram(
            "howdah_http_request_seconds",
            "Time until the answer began, by method, route and status.",
            ("method", "route", "status"),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        # Finding a series by its labels takes longer than counting in it.
        self._series: dict[tuple[str, str, int], Any] = {}

    def measure(self, app: ASGIApp) -> ASGIApp:
        """Return the application, counted: around everything, so that what it turns away counts, too."""

        async def measured(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            began_at = time.perf_counter()

            async def send_and_count(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._count(scope, message["status"], time.perf_counter() - began_at)
                await send(message)

            await app(scope, receive, send_and_count)

        return measured

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = str(scope.get("method"))
        key = (method if method in _METHODS else "other", str(scope.get("path_template") or "none"), status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._seconds.labels(*map(str, key))
        series.observe(seconds)
