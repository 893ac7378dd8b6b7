"""Packs logs as the scheduler does, and removes their chunks."""

from functools import partial
from typing import Any

from services.scheduler.pack_logs import pack_log
from shared.db import in_transaction
from shared.ids import JobId
from tests.engine import Engine


async def pack(engine: Engine, job_id: JobId, epoch: int = 1, **bounds: Any) -> None:
    """Pack all of an ended attempt's log; `bounds` make stretches smaller."""
    while await pack_a_stretch(engine, job_id, epoch, **bounds):
        pass


async def pack_a_stretch(engine: Engine, job_id: JobId, epoch: int = 1, **bounds: Any) -> bool:
    """Pack the next stretch of an attempt's log; False: all of it is packed."""
    return await in_transaction(engine.scheduler, partial(pack_log, job_id=job_id, epoch=epoch, **bounds))


def remove_chunks(engine: Engine) -> None:
    """Remove the chunks of all packed logs, and say so."""
    engine.sql(
        """
        with gone as (
            delete from log_chunk c
            using attempt a
            where a.job_id = c.job_id and a.epoch = c.epoch and a.log_state = 'packed'
            returning c.tx_id, c.row_id
        ),
        compacted as (update attempt set log_state = 'compact' where log_state = 'packed')
        update log_gone g
        set tx_id = n.tx_id, row_id = n.row_id
        from (select tx_id, row_id from gone order by tx_id desc, row_id desc limit 1) n
        """
    )
