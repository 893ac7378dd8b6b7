"""The notifier's settings."""

from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, field

from services.notifier.claim_notifications import Limits
from shared.config import PositiveInt, PositiveSeconds, ServiceConfig
from shared.errors import ConfigurationError


class NotifierConfig(ServiceConfig, frozen=True, kw_only=True):
    """What the notifier needs to know beyond the common settings."""

    # Where people reach the pages: messages link to `{public_url}/runs/{run id}`.
    public_url: str
    # `id:key` each, the current one first; see shared/sealing.py.
    sealing_keys: list[str]
    # Private networks, in CIDR form, that channels may lead to all the same.
    allowed_networks: list[str] = field(default_factory=list)
    # How long a whole request may take, from looking up the name to the end of the answer.
    notification_timeout_seconds: Annotated[float, Meta(ge=3, le=300)] = 15.0
    # The first try included. The default spans about three days.
    notification_tries: PositiveInt = 15
    # Requests under way at the same time, in this process, and to one channel from all notifiers together.
    notifications_at_once: PositiveInt = 64
    notifications_at_once_per_channel: PositiveInt = 4
    # How often to look when nothing rings.
    notification_poll_seconds: PositiveSeconds = 5.0

    def limits(self) -> Limits:
        """Return the loop's limits. A claim holds for the request, and as long again to write its result."""
        return Limits(
            at_once=self.notifications_at_once,
            at_once_per_channel=self.notifications_at_once_per_channel,
            claim_seconds=2 * self.notification_timeout_seconds,
            poll_seconds=self.notification_poll_seconds,
        )

    def page_url(self, path: str) -> str:
        """Return the address of a page.

        Raises `ConfigurationError` if `public_url` is no address.
        """
        parts = urlsplit(self.public_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
            raise ConfigurationError("HOWDAH_PUBLIC_URL must be an address such as https://ci.example.org")
        return f"{self.public_url.rstrip('/')}/{path}"
