"""The fence of the log: in order, once, and only while the attempt is open."""

from datetime import UTC, datetime

from services.executor.finish_jobs import AttemptEnd
from services.executor.queries.append_logs import append_logs, read_log_ends
from services.executor.queries.claim_jobs import ClaimJobsRow
from shared.db import Connection, in_transaction, query
from shared.ids import JobId
from shared.queries.models import AttemptOutcome
from tests.engine import SUCCEEDED, Engine


async def append(engine: Engine, job: ClaimJobsRow, *seqs: int, data: bytes = b"x\n") -> bool:
    return await query(engine.executor, lambda connection: append_chunks(connection, job, *seqs, data=data))


async def append_chunks(connection: Connection, job: ClaimJobsRow, *seqs: int, data: bytes = b"x\n") -> bool:
    count = len(seqs)
    rows = await append_logs(
        connection,
        job_ids=[job.job_id] * count,
        epochs=[job.epoch] * count,
        days=[job.log_day] * count,
        seqs=list(seqs),
        steps=[0] * count,
        streams=[1] * count,
        first_lines=list(seqs),
        continues=[False] * count,
        line_offsets_ms=["{0}"] * count,
        recorded_ats=[datetime.now(UTC)] * count,
        sizes=[len(data)] * count,
        data=data * count,
        ring_now=True,
    )
    return bool(rows)


def stored(engine: Engine, job_id: JobId) -> list[int]:
    return [seq for (seq,) in engine.sql("select seq from log_chunk where job_id = %s order by seq", job_id)]


async def claimed_job(engine: Engine) -> ClaimJobsRow:
    await engine.start_run({"a": []})
    (job,) = await engine.claim(await engine.add_executor())
    return job


async def test_chunks_are_stored_in_order_and_move_the_attempts_end(engine: Engine) -> None:
    job = await claimed_job(engine)
    assert await append(engine, job, 1, 2)
    assert await append(engine, job, 3)
    assert stored(engine, job.job_id) == [1, 2, 3]
    assert engine.sql("select last_seq from attempt where job_id = %s", job.job_id) == [(3,)]


async def test_the_same_chunks_are_stored_once(engine: Engine) -> None:
    job = await claimed_job(engine)
    assert await append(engine, job, 1, 2)
    assert not await append(engine, job, 1, 2)
    assert stored(engine, job.job_id) == [1, 2]
    (end,) = await query(
        engine.executor, lambda connection: read_log_ends(connection, job_ids=[job.job_id], epochs=[job.epoch])
    )
    assert end.last_seq == 2


async def test_a_gap_is_refused(engine: Engine) -> None:
    job = await claimed_job(engine)
    assert not await append(engine, job, 2)
    assert stored(engine, job.job_id) == []


async def test_nothing_is_stored_after_the_end_of_the_attempt(engine: Engine) -> None:
    await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (job,) = await engine.claim(executor)
    await append(engine, job, 1)
    await engine.finish(executor, job, SUCCEEDED)
    assert not await append(engine, job, 2)
    assert stored(engine, job.job_id) == [1]


async def test_a_stale_epoch_cannot_write_into_the_new_attempts_log(engine: Engine) -> None:
    await engine.start_run({"a": []})
    executor = await engine.add_executor()
    (first,) = await engine.claim(executor)
    await engine.finish(executor, first, AttemptEnd(AttemptOutcome.HANDED_BACK))
    (second,) = await engine.claim(executor)
    assert not await append(engine, first, 1)
    assert await append(engine, second, 1)


async def test_bytes_are_kept_as_they_came(engine: Engine) -> None:
    job = await claimed_job(engine)
    hostile = b"\x00\xff\xfe\xc3(\x1b[31mred\x1b[0m \\x41 \r\n" + bytes(range(256))
    assert await append(engine, job, 1, data=hostile)
    assert engine.sql("select data from log_chunk where job_id = %s", job.job_id) == [(hostile,)]


async def test_a_chunk_after_midnight_goes_to_the_partition_of_its_attempts_day(engine: Engine) -> None:
    job = await claimed_job(engine)
    await append(engine, job, 1)
    assert engine.sql("select tableoid::regclass::text from log_chunk") == [(f"log_chunk_{job.log_day:%Y%m%d}",)]


async def test_each_append_adds_to_what_the_attempt_tells_of_its_log(engine: Engine) -> None:
    job = await claimed_job(engine)
    assert told_of_log(engine, job.job_id) == ("none", 0, 0)
    await append(engine, job, 1, 2, data=b"a\nb\n")
    assert told_of_log(engine, job.job_id) == ("open", 8, 3)
    await append(engine, job, 3, data=b"cd")
    assert told_of_log(engine, job.job_id) == ("open", 10, 4)
    # Refused, so not counted.
    await append(engine, job, 3, data=b"cd")
    assert told_of_log(engine, job.job_id) == ("open", 10, 4)


async def test_each_chunk_gets_its_own_bytes_though_all_travel_together(engine: Engine) -> None:
    await engine.start_run({"a": [], "b": []})
    first, second = await engine.claim(await engine.add_executor())
    datas = [b"one\x00\n", b"", bytes(range(256)), b"four"]
    jobs = [first, second, first, second]
    await query(
        engine.executor,
        lambda connection: append_logs(
            connection,
            job_ids=[job.job_id for job in jobs],
            epochs=[1] * 4,
            days=[first.log_day] * 4,
            seqs=[1, 1, 2, 2],
            steps=[0] * 4,
            streams=[1] * 4,
            first_lines=[0, 0, 1, 0],
            continues=[False] * 4,
            line_offsets_ms=["{0}", "{}", "{0}", "{0}"],
            recorded_ats=[datetime.now(UTC)] * 4,
            sizes=[len(data) for data in datas],
            data=b"".join(datas),
            ring_now=True,
        ),
    )
    for job, pieces in ((first, datas[::2]), (second, datas[1::2])):
        rows = engine.sql("select data from log_chunk where job_id = %s order by seq", job.job_id)
        assert [data for (data,) in rows] == pieces


async def test_appends_after_the_first_change_no_index(engine: Engine) -> None:
    job = await claimed_job(engine)
    await append(engine, job, 1)

    async def append_more(connection: Connection) -> tuple[int, int]:
        before = await updates_of_attempt(connection)
        for seq in range(2, 6):
            assert await append_chunks(connection, job, seq)
        after = await updates_of_attempt(connection)
        return after[0] - before[0], after[1] - before[1]

    assert await in_transaction(engine.executor, append_more) == (4, 4)


async def updates_of_attempt(connection: Connection) -> tuple[int, int]:
    """Return how many updates there were, and how many of them touched no index."""
    cursor = await connection.execute(
        "select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables where relname = 'attempt'"
    )
    ((updates, hot_updates),) = await cursor.fetchall()
    return updates, hot_updates


def told_of_log(engine: Engine, job_id: JobId) -> tuple[object, ...]:
    (row,) = engine.sql("select log_state::text, log_bytes, log_lines from attempt where job_id = %s", job_id)
    return row
