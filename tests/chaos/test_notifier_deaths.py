"""A notifier may die after its message was taken: another one sends it again, under the same id, until recorded."""

from deploy.embedded.target import run_target
from tests.chaos.proxy import run_proxy
from tests.cluster import Cluster

SETTINGS = {
    "allowed_networks": "127.0.0.0/8",
    "public_url": "http://x",
    # A claim holds for twice as long: what the successor has to wait for.
    "notification_timeout_seconds": "3",
    "notification_poll_seconds": "1",
}


def test_a_message_that_was_taken_and_never_recorded_is_sent_again_under_its_id(cluster: Cluster) -> None:
    pipeline = cluster.add_pipeline({".howdah.yml": "on: push\njobs:\n  a: {run: 'true'}\n"})
    read = "select state::text, claim_epoch, claimed_until is not null, id::text from notification"
    with run_target() as target:
        cluster.add_channel(target.url, "run.succeeded")
        cluster.start("scheduler")
        cluster.start("executor")
        with run_proxy(cluster.database.dsn("notifier")) as (proxy, through_proxy):
            victim = cluster.start("notifier", dsn=through_proxy, prepare_statements="false", **SETTINGS)
            proxy.hold_back(b"-- name: FinishNotifications")
            assert pipeline.await_end(pipeline.request_run()) == "succeeded"
            first = target.received.get(timeout=60)
            # The target's answer has come, else there would be nothing to record; the record has not left.
            assert proxy.met.wait(20)
            assert victim.process is not None
            victim.process.kill()
            victim.process.wait()
        ((*books, message_id),) = cluster.sql(read)
        assert books == ["pending", 1, True]
        cluster.start("notifier", **SETTINGS)
        second = target.received.get(timeout=60)
        cluster.wait_until("it is recorded", lambda: cluster.sql(read) == [("delivered", 2, False, message_id)])
        assert target.received.empty()
    assert [one.headers["webhook-id"] for one in (first, second)] == [message_id] * 2
    assert first.body == second.body
