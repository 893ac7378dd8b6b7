"""Much output, and trouble meanwhile: every byte is stored once and in order, in bounded memory, up to the cap."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.ids import JobId
from tests.chaos.proxy import Proxy, run_proxy
from tests.cluster import Cluster, executor_child, run_cluster
from tests.database import TestDatabase

MIB = 1024 * 1024
LINES = 200_000
PARTS = 10
# What `seq` prints for the number: a line of 100 bytes.
FORMAT = "%08g " + "a line of a log, as long as lines are, with an end of its own".ljust(90, ".")

DIGEST = """
select encode(sha256(string_agg(data, ''::bytea order by seq)), 'hex'), count(*), max(seq)
from log_chunk where job_id = %s and stream = 1
"""
TOLD = "select last_seq, log_bytes, log_lines, log_state::text from attempt where job_id = %s"


@pytest.fixture
def cluster(database: TestDatabase) -> Iterator[Cluster]:
    """One with the leases of production: a cut is no reason to be declared lost."""
    with run_cluster(database) as running:
        yield running


def write_lines(first: int, last: int) -> bytes:
    """Return what ``seq -f FORMAT first last`` prints."""
    rest = FORMAT.removeprefix("%08g").encode()
    return b"".join(b"%08d%s\n" % (number, rest) for number in range(first, last + 1))


def cut_in_the_middle(proxy: Proxy, cluster: Cluster, part: int, gate: Path) -> None:
    """Let the job print its next part. The first append that carries some of it is lost, or its answer is."""
    # Connections begin anew, so that the statement's text passes by.
    proxy.speak_again()
    if part % 2:
        proxy.lose_answer_to(b"AppendLogs")
    else:
        proxy.hold_back(b"AppendLogs")
    gate.touch()
    assert proxy.met.wait(60), cluster.logs()
    if not part % 2:
        proxy.speak_again()


def test_every_line_is_stored_once_and_in_order_though_connections_are_cut_in_the_middle(
    cluster: Cluster, database: TestDatabase
) -> None:
    gates = cluster.folder / "gates"
    gates.mkdir()
    gates.chmod(0o755)
    many = LINES // PARTS
    script = (
        f"echo begin; for part in $(seq 1 {PARTS}); do until [ -e {gates}/$part ]; do sleep 0.02; done; "
        f"seq -f '{FORMAT}' $((part * {many} - {many} + 1)) $((part * {many})); done"
    )
    pipeline = cluster.add_pipeline({".howdah.yml": f'on: push\njobs:\n  loud: {{run: "{script}"}}\n'})
    with run_proxy(database.dsn("executor")) as (proxy, dsn):
        cluster.start("scheduler")
        cluster.start("executor", dsn=dsn)
        run_id = pipeline.request_run()
        # Before that, the answer to the claim could be cut off, and the job be claimed once more.
        cluster.wait_until("it has begun", lambda: pipeline.log(run_id, "loud") == "begin\n")
        for part in range(1, PARTS + 1):
            cut_in_the_middle(proxy, cluster, part, gates / str(part))
        assert pipeline.await_end(run_id) == "succeeded"
        cluster.stop_all()
    job = pipeline.job(run_id, "loud")
    assert (job["claim_epoch"], job["losses"], job["attempts_used"]) == (1, 0, 1)
    printed = b"begin\n" + write_lines(1, LINES)
    ((digest, count, last_seq),) = cluster.sql(DIGEST, job["id"])
    assert digest == hashlib.sha256(printed).hexdigest()
    assert count == last_seq
    ((told_seq, told_bytes, told_lines, _),) = cluster.sql(TOLD, job["id"])
    assert (told_seq, told_bytes, told_lines) == (last_seq, len(printed), LINES + 1)


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_a_hundred_megabytes_without_a_newline_are_one_line_in_bounded_memory(cluster: Cluster) -> None:
    size = 100 * MIB
    pipeline = cluster.add_pipeline(
        {
            ".howdah.yml": f"on: push\njobs:\n  small: {{run: echo small}}\n"
            f"  long: {{needs: [small], run: \"head -c {size} /dev/zero | tr '\\\\0' x\"}}\n"
        }
    )
    cluster.start("scheduler")
    executor = cluster.start("executor", log_cap_bytes=str(2 * size))
    run_id = pipeline.request_run()
    pipeline.await_job(run_id, "small", "succeeded")
    before = peak_bytes(executor_child(executor))
    assert pipeline.await_end(run_id) == "succeeded"
    assert peak_bytes(executor_child(executor)) - before < 24 * MIB
    job_id = JobId(pipeline.job(run_id, "long")["id"])
    ((digest, count, _),) = cluster.sql(DIGEST, job_id)
    assert digest == hashlib.sha256(b"x" * size).hexdigest()
    continued = "select count(*) from log_chunk where job_id = %s and continues and line_offsets_ms = '{}'"
    assert cluster.sql(continued, job_id) == [(count - 1,)]
    assert cluster.sql("select max(length(data)) from log_chunk where job_id = %s", job_id) == [(64 * 1024,)]
    assert cluster.sql("select log_bytes, log_lines from attempt where job_id = %s", job_id) == [(size, 1)]


def test_beyond_its_cap_a_log_says_so_and_the_job_goes_on(cluster: Cluster) -> None:
    pipeline = cluster.add_pipeline(
        {".howdah.yml": f"on: push\njobs:\n  loud: {{run: \"seq -f '{FORMAT}' 1 30000; exit 3\"}}\n"}
    )
    cluster.start("scheduler")
    cluster.start("executor", log_cap_bytes=str(MIB))
    run_id = pipeline.request_run()
    assert pipeline.await_end(run_id) == "failed"
    printed = write_lines(1, 30_000)
    assert pipeline.log(run_id, "loud").encode() == printed[:MIB]
    assert pipeline.log(run_id, "loud", stream=0).splitlines() == [
        f"the log has reached its limit of {MIB} bytes: what follows is dropped",
        "step 1 ended with exit code 3",
        f"{len(printed) - MIB} bytes of output were dropped",
    ]
    job_id = pipeline.job(run_id, "loud")["id"]
    ((text,),) = cluster.sql("select failing_text from attempt where job_id = %s", job_id)
    assert text.encode() == printed[:MIB].splitlines()[-1]
