"""ingest may die after the commit and before the answer: the forge delivers anew, and there is one run."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from deploy.embedded.postgres import free_port
from deploy.embedded.repository import git
from services.ingest.verify_signature import sign_github
from shared.ids import new_id
from shared.sign_webhook import sign_webhook, signing_key
from tests.chaos.proxy import run_proxy
from tests.cluster import WEBHOOK_SECRET, Cluster, PushedPipeline

CLONE_URL, REPOSITORY_KEY = "https://github.com/you/app.git", "github.com/you/app"
RECORDED = "select d.id, r.id from delivery d join run r on r.delivery_id = d.id"
COUNTED = (
    "select (select count(*) from delivery), (select count(*) from run), (select count(*) from job where run_id = %s)"
)


class Message(NamedTuple):
    """A signed push as it is sent, and sent again, byte for byte."""

    body: bytes
    headers: dict[str, str]


def write_github_push(pipeline: PushedPipeline) -> Message:
    commit = {"message": "a title", "author": {"name": "Ann"}}
    push = _push(pipeline) | {"repository": {"clone_url": CLONE_URL}, "head_commit": commit}
    body = json.dumps(push).encode()
    headers = {
        "x-github-event": "push",
        "x-github-delivery": str(new_id()),
        "x-hub-signature-256": sign_github(WEBHOOK_SECRET, body),
    }
    return Message(body, headers)


def write_generic_push(pipeline: PushedPipeline) -> Message:
    body = json.dumps(_push(pipeline)).encode()
    message_id, timestamp = f"msg_{new_id().hex}", str(int(time.time()))
    signature = sign_webhook(signing_key(WEBHOOK_SECRET), message_id=message_id, timestamp=timestamp, body=body)
    return Message(body, {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature})


def _push(pipeline: PushedPipeline) -> dict[str, Any]:
    commit = git("rev-parse", "HEAD", cwd=pipeline.clone).strip()
    return {"ref": "refs/heads/main", "before": "0" * 40, "after": commit}


@contextmanager
def deliver(port: int, message: Message) -> Iterator[http.client.HTTPConnection]:
    """Send a message; the block may read the answer from the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(
            "POST", "/webhooks/app", message.body, {"content-type": "application/json", **message.headers}
        )
        yield connection
    finally:
        connection.close()


def await_ready(cluster: Cluster, port: int) -> None:
    def is_ready() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    cluster.wait_until("ingest is ready", is_ready)


@pytest.mark.parametrize("write", [write_github_push, write_generic_push])
def test_a_push_that_was_committed_and_never_answered_is_one_run_however_often_it_comes(
    cluster: Cluster, write: Callable[[PushedPipeline], Message]
) -> None:
    pipeline = cluster.add_pipeline({".howdah.yml": "on: push\njobs:\n  a: {run: 'echo once'}\n"})
    cluster.sql("update pipeline set repository_key = %s", REPOSITORY_KEY)
    message = write(pipeline)
    port, other_port = free_port(), free_port()
    with run_proxy(cluster.database.dsn("ingest")) as (proxy, through_proxy):
        victim = cluster.start("ingest", dsn=through_proxy, prepare_statements="false", listen_port=str(port))
        await_ready(cluster, port)
        proxy.hold_answer_to(b"-- name: AcceptDeliveries")
        with deliver(port, message) as connection:
            assert proxy.met.wait(20)
            # Another connection sees them: they are committed. ingest does not know it yet, and never will.
            ((delivery_id, run_id),) = cluster.sql(RECORDED)
            assert victim.process is not None
            victim.process.kill()
            victim.process.wait()
            with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
                connection.getresponse()
    cluster.start("ingest", listen_port=str(other_port))
    await_ready(cluster, other_port)
    for _ in range(2):
        with deliver(other_port, message) as connection:
            answer = connection.getresponse()
            said = json.loads(answer.read())
        assert (answer.status, said["outcome"]) == (200, "replayed")
        assert (said["delivery_id"], said["run_id"], said["number"]) == (str(delivery_id), str(run_id), 1)
    assert cluster.sql(COUNTED, run_id) == [(1, 1, 1)]
    cluster.start("scheduler")
    cluster.start("executor")
    assert pipeline.await_end(run_id) == "succeeded"
    assert pipeline.log(run_id, "a") == "once\n"
    assert cluster.sql(COUNTED, run_id) == [(1, 1, 2)]
