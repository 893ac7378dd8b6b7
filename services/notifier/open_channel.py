"""Opening what is sealed of a channel: its address, and the secret to sign with."""

import msgspec

from services.notifier.queries.claim_notifications import ClaimNotificationsRow
from shared.sealed_values import channel_secret_of, channel_url_of
from shared.sealing import Sealer


class OpenedChannel(msgspec.Struct, frozen=True):
    """Both are secret: neither is logged or stored."""

    url: str
    secret: str | None


def open_channel(claimed: ClaimNotificationsRow, sealer: Sealer) -> OpenedChannel:
    """Open the channel of a claimed notification.

    Raises `SealError`.
    """

    def opened(sealed: bytes, purpose: str) -> str:
        return sealer.open(sealed, key_id=claimed.key_id, purpose=purpose).decode()

    return OpenedChannel(
        url=opened(claimed.sealed_url, channel_url_of(claimed.channel_id)),
        secret=None
        if claimed.sealed_secret is None
        else opened(claimed.sealed_secret, channel_secret_of(claimed.channel_id)),
    )
