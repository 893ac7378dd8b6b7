"""Logs beside Buildbot: 200,000 lines from a job's trigger until all are stored, and printed → visible to a client."""

import hashlib
import time
from typing import Final

import psycopg

from tests.bench.make_origin import Origin, make_origin
from tests.bench.measure_log_delivery import follow_times
from tests.bench.measure_logs_burst import await_end, await_packed
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Line, Outcome, at_least, compare, summarize
from tests.bench.peers.install_peers import PeerMissingError
from tests.bench.peers.run_buildbot import BUILDBOT_VERSION, Buildbot, run_buildbot
from tests.bench.print_burst import make_lines
from tests.bench.read_raw_log import read_raw_log
from tests.bench.start_run import start_run
from tests.bench.write_pipeline import Program, write_pipeline

_LINES: Final = 200_000
_ROUNDS: Final = 4
_PRINTS: Final = 60
_BURST: Final = Program("print_burst.py", (str(_LINES),))
_TRICKLE: Final = Program("print_times.py", (str(_PRINTS),))


def measure_logs_buildbot(bench: Bench) -> Outcome:
    """In turns, each the same programs, on the same server."""
    commands = {"burst": _BURST.command(), "trickle": _TRICKLE.command()}
    try:
        with run_buildbot(bench, commands) as buildbot:
            return _measure(bench, buildbot)
    except PeerMissingError as error:
        return Outcome([], f"Buildbot not measured: {error}.")


def _measure(bench: Bench, buildbot: Buildbot) -> Outcome:
    body = b"".join(make_lines(_LINES))
    digest = hashlib.sha256(body).digest()
    origin = make_origin(bench, write_pipeline([("burst", _BURST)]))
    howdah: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    with psycopg.connect(bench.dsn(), autocommit=True) as listener:
        listener.execute("listen job_finished")
        for number in range(_ROUNDS + 1):
            for who in ("howdah", "buildbot") if number % 2 else ("buildbot", "howdah"):
                bench.sql("checkpoint")
                if who == "howdah":
                    howdah.append(_burst_here(bench, origin, digest, listener))
                else:
                    theirs.append(_burst_there(buildbot, digest))
    # The first round finds nothing warm.
    del howdah[0], theirs[0]
    seen_there = _trickle_there(buildbot)
    trickle = make_origin(bench, write_pipeline([("trickle", _TRICKLE)]))
    seen_here = follow_times(bench, start_run(bench, trickle).jobs[0])
    here, there = summarize(seen_here), summarize(seen_there)
    quicker = there.median / here.median
    return Outcome(
        [
            _line_up("trigger → 200,000 lines stored", [one for one, _ in howdah], [one for one, _ in theirs]),
            _line_up("first line printed → 200,000 stored", [one for _, one in howdah], [one for _, one in theirs]),
            Line(
                "printed → visible to a client, a line now and then",
                "ms",
                here,
                there,
                summarize([here.median / there.median]),
                at_least(5, quicker, "times quicker"),
            ),
        ],
        f"Buildbot {BUILDBOT_VERSION} with buildbot-www and psycopg2, settings as they come, a worker of its own. Its "
        "client follows its server-sent events, and asks for the lines that each tells of. Howdah's trigger is a push, "
        "its end the job's; Buildbot's is a forced build without a checkout, and the last line in its "
        "database.",
    )


def _line_up(what: str, howdah: list[float], theirs: list[float]) -> Line:
    ratio = compare(howdah, theirs)
    return Line(what, "s", summarize(howdah), summarize(theirs), ratio, at_least(5, 1 / ratio.median, "times faster"))


def _burst_here(bench: Bench, origin: Origin, digest: bytes, listener: psycopg.Connection) -> tuple[float, float]:
    """Return the seconds from the trigger, and from the first printed line, until all is stored."""
    run = start_run(bench, origin)
    (job_id,) = run.jobs
    ended = await_end(job_id, listener)
    first, _, rest = read_raw_log(bench, job_id).partition(b"\n")
    if hashlib.sha256(rest).digest() != digest:
        raise BenchError(f"the log of job {job_id} is not what was printed")
    await_packed(bench, job_id)
    return ended - run.triggered_at, ended - int(first) / 1e9


def _burst_there(buildbot: Buildbot, digest: bytes) -> tuple[float, float]:
    newest = buildbot.newest_log()
    began = time.time()
    buildbot.force("burst")
    stored = buildbot.await_log(newest)
    buildbot.await_rest(stored.log_id)
    lines = buildbot.read_lines(stored.log_id, 0)
    said = [line for line in lines if line.startswith("o")]
    if hashlib.sha256("".join(f"{line[1:]}\n" for line in said[1:]).encode()).digest() != digest:
        raise BenchError("what Buildbot stored is not what was printed")
    # What Buildbot itself says after the last line is not waited for.
    ended = stored.when_stored(max(number for number, line in enumerate(lines, 1) if line.startswith("o")))
    return ended - began, ended - int(said[0][1:]) / 1e9


def _trickle_there(buildbot: Buildbot) -> list[float]:
    """Return the ms from each printed time until a client has the line."""
    late: list[float] = []
    with buildbot.listen() as messages:
        buildbot.force("trickle")
        lines = 0
        for message in messages:
            if message["num_lines"] <= lines:
                continue  # the lines that this tells of came with those before
            added = buildbot.read_lines(message["logid"], lines)
            at = time.time_ns()
            lines += len(added)
            late += [(at - int(line[1:])) / 1e6 for line in added if line.startswith("o")]
            if len(late) == _PRINTS:
                return late
    raise BenchError(f"Buildbot's stream ended after {len(late)} lines")
