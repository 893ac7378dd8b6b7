"""The settings of ingest: `HOWDAH_*` variables, see `shared.config`."""

from typing import Annotated

from msgspec import Meta

from shared.config import PositiveInt, ServiceConfig


class IngestConfig(ServiceConfig, frozen=True, kw_only=True):
    """What ingest needs to know."""

    listen_address: str = "127.0.0.1"
    listen_port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    # Where people and forges reach this service, without a slash at the end. Empty: http at the address above.
    public_url: str = ""
    # `id:base64` each, the current one first: see shared.sealing.
    sealing_keys: list[str]
    plan_timeout_seconds: PositiveInt = 300
    # Connections that stay open, and how many there may be.
    pool_min_size: PositiveInt = 1
    pool_max_size: PositiveInt = 8
    # Whether a pipeline may name a repository on this machine: a path, or a file:// URL.
    allow_local_repositories: bool = False

    # Whether /metrics is shown to everybody who can reach it.
    metrics_open: bool = False

    # Whether a reverse proxy stands before this service: then X-Forwarded-For says who calls.
    trust_proxy: bool = False

    def base_url(self) -> str:
        """Return the public address, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = f"[{self.listen_address}]" if ":" in self.listen_address else self.listen_address
        return f"http://{host}:{self.listen_port}"

    def is_https(self) -> bool:
        """Whether browsers reach this service by TLS."""
        return self.public_url.lower().startswith("https://")
