"""Rows of the outbox, as the other services leave them, and a look at what became of them."""

import base64
import secrets
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
from psycopg.rows import class_row

from shared.ids import ChannelId, NotificationId, new_id
from shared.notice import Notice
from shared.sealed_values import channel_secret_of, channel_url_of
from shared.sealing import Sealer, generate_key
from tests.database import TestDatabase
from tests.unit.notifier.sample_notices import RUN_ID, make_notice


class Row(msgspec.Struct, frozen=True):
    """What is of interest of a notification."""

    state: str
    claim_epoch: int
    due_in: timedelta
    claimed: bool
    last_error: str | None
    ended_at: datetime | None


def make_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Outbox:
    """The outbox of one database, as its superuser."""

    def __init__(self, database: TestDatabase) -> None:
        self.database = database
        self.sealing_key = generate_key()
        self.sealer = Sealer({"k1": base64.b64decode(self.sealing_key)})
        self._connection = psycopg.connect(database.dsn(), autocommit=True)
        pipeline_id = new_id()
        self._connection.execute(
            """insert into pipeline (id, name, repository_url, repository_key, default_branch, file_path, env,
                sealed_webhook_secret, key_id)
            values (%s, 'app', 'https://x/y', 'x/y', 'main', '.howdah.yml', '{}', '', 'k1')""",
            [pipeline_id],
        )
        self._connection.execute(
            """insert into run (id, pipeline_id, number, event, ref, title, author, requested_by, plan_job_id)
            values (%s, %s, 41, 'push', 'refs/heads/main', 'x', 'x', 'x', %s)""",
            [RUN_ID, pipeline_id, new_id()],
        )

    def close(self) -> None:
        self._connection.close()

    def add_channel(self, url: str, *, kind: str = "webhook", secret: str | None = None, name: str = "") -> ChannelId:
        """Enter a channel; a webhook gets a secret if none is given."""
        channel_id = ChannelId(new_id())
        secret = secret or (make_secret() if kind == "webhook" else None)
        self._connection.execute(
            """insert into channel (id, name, kind, events, sealed_url, sealed_secret, key_id)
            values (%s, %s, %s::channel_kind, '{}', %s, %s, 'k1')""",
            [
                channel_id,
                name or f"channel {channel_id}",
                kind,
                self.sealer.seal(url.encode(), purpose=channel_url_of(channel_id)),
                secret and self.sealer.seal(secret.encode(), purpose=channel_secret_of(channel_id)),
            ],
        )
        return channel_id

    def add(
        self, channel_id: ChannelId, *, event: str = "", notice: Notice | None = None, tries: int = 0
    ) -> NotificationId:
        """Put a message into the outbox, as the scheduler does: with a ring."""
        notification_id = NotificationId(new_id())
        self._connection.execute(
            """insert into notification (id, channel_id, event, run_id, payload, claim_epoch)
            values (%s, %s, %s, %s, %s, %s) returning (select ring('notification_due'))""",
            [
                notification_id,
                channel_id,
                event or f"run.succeeded {notification_id}",
                RUN_ID,
                msgspec.json.encode(notice or make_notice()).decode(),
                tries,
            ],
        )
        return notification_id

    def row(self, notification_id: NotificationId) -> Row:
        """Return what became of a message so far."""
        with self._connection.cursor(row_factory=class_row(Row)) as cursor:
            found = cursor.execute(
                """select state, claim_epoch, due_at - now() as due_in, claimed_until is not null as claimed,
                    last_error, ended_at
                from notification where id = %s""",
                [notification_id],
            ).fetchone()
        assert found is not None
        return found

    def make_due(self) -> None:
        """Let the time of every next try come."""
        self._connection.execute("update notification set due_at = now() where state = 'pending'")

    def lapse_claims(self) -> None:
        """Let the time of every claim pass."""
        self._connection.execute(
            "update notification set claimed_until = now(), due_at = now() where state = 'pending'"
        )

    def execute(self, statement: str) -> None:
        """Do as a superuser may."""
        self._connection.execute(statement.encode())


def is_about_now(moment: datetime | None) -> bool:
    return moment is not None and abs(moment - datetime.now(UTC)) < timedelta(minutes=1)
