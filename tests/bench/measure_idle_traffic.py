"""Idle traffic: transactions per second of each service while nothing happens and nobody watches."""

import re
import time
from typing import Final

from deploy.bootstrap_roles import SERVICES, service_role
from tests.bench.open_bench import Bench
from tests.bench.outcome import Line, Outcome, Spread, at_most, summarize

# Sessions report what they did up to ten seconds late.
_SETTLE_SECONDS: Final = 12.0
_WINDOW_SECONDS: Final = 20.0
# Role and virtual transaction id; every statement of a transaction has the same one.
_PREFIX: Final = "bench %u %v "
_LOGGED: Final = re.compile(r"^bench (howdah_\w+) (\d+/\d+) LOG:  (?:execute|statement)", re.MULTILINE)


def measure_idle_traffic(bench: Bench) -> Outcome:
    """Have the server write down every statement for a while, and count the transactions of each role."""
    time.sleep(_SETTLE_SECONDS)
    seen = bench.postgres_log.stat().st_size
    _set_logging(bench, _PREFIX, "all")
    counted_before = _count_committed(bench)
    began = time.monotonic()
    try:
        time.sleep(_WINDOW_SECONDS)
        took = time.monotonic() - began
    finally:
        _set_logging(bench, None, None)
    counted = (_count_committed(bench) - counted_before) / took
    with bench.postgres_log.open("rb") as log:
        log.seek(seen)
        transactions = set(_LOGGED.findall(log.read().decode(errors="replace")))
    rates = {name: sum(role == service_role(name) for role, _ in transactions) / took for name in SERVICES}
    lines = [Line(name, "tx/s", _one(rate)) for name, rate in rates.items()]
    whole = sum(rates.values())
    lines.append(Line("all four", "tx/s", _one(whole), aim=at_most(10, whole, "tx/s")))
    return Outcome(
        lines,
        f"Counted over {took:.0f} s from the server's statement log, by role. pg_stat_database counts {counted:.1f} "
        "tx/s, with this bench and autovacuum among them; sessions report to it some seconds late.",
    )


def _set_logging(bench: Bench, prefix: str | None, statements: str | None) -> None:
    bench.set_server("log_line_prefix", prefix)
    bench.set_server("log_statement", statements)


def _count_committed(bench: Bench) -> int:
    ((count,),) = bench.sql(
        "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"
    )
    return int(count)


def _one(value: float) -> Spread:
    return summarize([value])
