"""Writes logs as an executor does: cut into chunks, under the claim epoch's fence."""

import time
from datetime import UTC, datetime

from services.executor.cut_chunks import Chunk, ChunkCutter
from services.executor.queries.append_logs import append_logs
from services.executor.queries.claim_jobs import ClaimJobsRow
from shared.db import query
from shared.ids import ExecutorId, JobId, RunId
from tests.engine import Engine

_STREAMS = {"howdah": 0, "stdout": 1, "stderr": 2}


class Scribe:
    """The log of one attempt."""

    def __init__(self, engine: Engine, executor_id: ExecutorId, job: ClaimJobsRow) -> None:
        self.engine = engine
        self.executor_id = executor_id
        self.job = job
        self._cutter = ChunkCutter(cap_bytes=1 << 30)

    @property
    def path(self) -> str:
        """Return the address of the job's stream."""
        return f"/api/v1/stream/logs/{self.job.job_id}"

    async def write(self, data: bytes, *, step: int = 0, stderr: bool = False) -> None:
        """Store output, in one statement."""
        self._cutter.feed("stderr" if stderr else "stdout", step, data, time.time())
        await self.store(self._cutter.take())

    async def store(self, chunks: list[Chunk]) -> None:
        count = len(chunks)
        if not count:
            return
        rows = await query(
            self.engine.executor,
            lambda connection: append_logs(
                connection,
                ring_now=True,
                job_ids=[self.job.job_id] * count,
                epochs=[self.job.epoch] * count,
                days=[self.job.log_day] * count,
                seqs=[chunk.seq for chunk in chunks],
                steps=[-1 if chunk.step is None else chunk.step for chunk in chunks],
                streams=[_STREAMS[chunk.stream] for chunk in chunks],
                first_lines=[chunk.first_line for chunk in chunks],
                continues=[chunk.continues for chunk in chunks],
                line_offsets_ms=["{" + ",".join(map(str, chunk.line_offsets_ms)) + "}" for chunk in chunks],
                recorded_ats=[datetime.fromtimestamp(chunk.at, UTC) for chunk in chunks],
                sizes=[len(chunk.data) for chunk in chunks],
                data=b"".join(chunk.data for chunk in chunks),
            ),
        )
        assert rows, "the append was refused"


async def start_scribe(engine: Engine, key: str = "test") -> Scribe:
    """Start a run of one job, and claim that."""
    scribes = await start_scribes(engine, [key])
    return scribes[0]


async def start_scribes(engine: Engine, keys: list[str]) -> list[Scribe]:
    """Start a run of jobs that need nothing, and claim them all."""
    await engine.start_run({key: [] for key in keys})
    executor_id = await engine.add_executor()
    return [Scribe(engine, executor_id, job) for job in await engine.claim(executor_id, len(keys))]


async def claim_again(engine: Engine, scribe: Scribe) -> Scribe:
    """Claim the job anew, after it has been handed back."""
    (job,) = await engine.claim(scribe.executor_id)
    assert job.job_id == scribe.job.job_id
    return Scribe(engine, scribe.executor_id, job)


def run_of(engine: Engine, job_id: JobId) -> RunId:
    """Return the run of a job."""
    ((run_id,),) = engine.sql("select run_id from job where id = %s", job_id)
    return RunId(run_id)
