"""Five hundred clients follow one job: how often its chunks are read, and how late its lines come."""

import time
from typing import Final

from tests.bench.drive_watchers import watch_logs
from tests.bench.open_bench import Bench
from tests.bench.outcome import Line, Outcome, at_most
from tests.bench.start_printers import Pace, start_printers
from tests.bench.watch_logs import Watch
from tests.bench.watch_printers import check_received, line_up_cores, line_up_late, one, print_watched, stream_path

_CLIENTS: Final = 500
_PACE: Final = Pace(lines=1, tick_ms=100, ticks=200)
_PATIENCE_SECONDS: Final = 20.0
# Sessions report what they read up to ten seconds late.
_SETTLE_SECONDS: Final = 12.0


def measure_logs_clients(bench: Bench) -> Outcome:
    """Have one job print ten lines a second; count its reads before it ends, when others read its log too."""
    with start_printers(bench, 1, _PACE) as printers:
        (job,) = printers.jobs
        path = stream_path(job)
        watch = Watch(bench.port, bench.token, [path] * _CLIENTS, {path: _PACE.all_lines})
        with watch_logs(watch) as watchers:
            time.sleep(_SETTLE_SECONDS)
            before = _count_reads(bench)
            _, cost = print_watched(bench, printers, watchers)
            time.sleep(_SETTLE_SECONDS)
            reads = _count_reads(bench) - before
            ((chunks,),) = bench.sql("select last_seq from attempt where job_id = %s", job)
            printers.leave()
            watched = watchers.collect(_PATIENCE_SECONDS)
        check_received(bench, printers, watched)
    each = reads / chunks
    return Outcome(
        [
            Line("reads for each chunk", "", one(each), aim=at_most(1, each, "")),
            *line_up_late(f"client ({_CLIENTS} of one job)", watched.late[path]),
            *line_up_cores(cost),
        ],
        f"{chunks} chunks. Reads are all scans of partitions of `log_chunk`, as the server counts them.",
    )


def _count_reads(bench: Bench) -> int:
    ((count,),) = bench.sql(
        """
        select sum(coalesce(idx_scan, 0) + seq_scan)::bigint
        from pg_stat_user_tables
        where relname ~ '^log_chunk_'
        """
    )
    return int(count)
