"""The search over ten million lines: rare words, the newest hits of common ones, what is nowhere; and its price."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import msgspec
import psycopg

from services.scheduler.cut_blocks import cut_blocks
from services.scheduler.survey_block import survey_block
from shared.ids import new_id
from shared.logs.find_groups import GroupFinder
from shared.logs.gather_lines import gather_lines
from shared.logs.split_words import number_words
from shared.logs.strip_ansi import plain_text
from tests.bench.fill_logs import COPY_BLOCKS, block_rows, fill_logs
from tests.bench.open_bench import Bench, BenchError
from tests.bench.outcome import Aim, Line, Outcome, compare, summarize
from tests.bench.write_logs import (
    LINES_PER_JOB,
    MIDDLE_WORDS,
    NEVER_TOGETHER,
    RARE_LINES,
    cut_lines,
    middle_word,
    pack_job,
    rare_word,
    write_lines,
)

_JOBS: Final = 1000
_FEW_JOBS: Final = 50
_ASKED: Final = 40
_FEW_ASKED: Final = 5
_LIMIT_MS: Final = 300
_PACKED: Final = 5
_STORED: Final = 20
_COMMON: Final = ("compiling", "downloading", "debug", "passed", "info", "bytes", "unused variable", '"get api v1"')


def measure_log_search(bench: Bench) -> Outcome:
    """Search ten million lines."""
    return _measure(bench, _JOBS)


def measure_log_search_short(bench: Bench) -> Outcome:
    """Search half a million lines."""
    return _measure(bench, _FEW_JOBS)


def _measure(bench: Bench, jobs: int) -> Outcome:
    fill_logs(bench, jobs)
    stretch = jobs // RARE_LINES
    rare = [rare_word(number * stretch // _ASKED) for number in range(_ASKED)]
    middle = [middle_word(number % MIDDLE_WORDS) for number in range(_ASKED)]
    common = [_COMMON[number % len(_COMMON)] for number in range(_ASKED)]
    absent = [f"nowhere{number}" for number in range(_ASKED)]
    with httpx.Client(
        base_url=f"http://127.0.0.1:{bench.port}",
        headers={"authorization": f"Bearer {bench.token}"},
        timeout=60,
        trust_env=False,
    ) as api:
        lines = [
            _line_up("a rare word: 3 lines", _ask(api, rare, hits=RARE_LINES)),
            _line_up("a common word: the newest 50", _ask(api, common, hits=50)),
            _line_up("a word in 1 of 20,000 lines: the newest 50", _ask(api, middle, hits=min(50, jobs // 2))),
            _line_up("a word that is nowhere", _ask(api, absent, hits=0)),
            _line_up("a rare word, in one pipeline of five", _ask(api, rare, pipeline="searched-0")),
            _line_up("a common word, 3 lines of context", _ask(api, common, hits=50, context=3)),
        ]
        never = _ask(api, [" ".join(NEVER_TOGETHER)] * _FEW_ASKED, hits=0)
    is_cut = " (cut short)" if any(page["cut_short"] for _, page in never) else ""
    lines.append(
        Line(f"two common words that no line has both of{is_cut}", "ms", summarize([taken for taken, _ in never]))
    )
    ((blocks, size, index),) = bench.sql(
        """
        select
            (select count(*) from log_block),
            (
                select sum(pg_total_relation_size(c.oid))::bigint
                from pg_class c
                where c.relname like 'log_block_standard%%' and c.relkind = 'r'
            ),
            (
                select sum(pg_relation_size(c.oid))::bigint
                from pg_class c
                join pg_am a on a.oid = c.relam
                where c.relname like 'log_block_standard%%' and a.amname = 'gin'
            )
        """
    )
    return Outcome(
        [*lines, *_measure_packing(), _measure_storing(bench)],
        f"{jobs * LINES_PER_JOB:,} lines in {blocks:,} blocks: {size / 1e6:,.0f} MB, of which {index / 1e6:,.0f} MB "
        f"are the index of words. Through HTTP, one after the other; p95 of {_ASKED}.",
    )


def _line_up(name: str, answers: list[tuple[float, Any]]) -> Line:
    seen = summarize([taken for taken, _ in answers])
    return Line(name, "ms", seen, aim=Aim(f"p95 ≤ {_LIMIT_MS} ms", seen.p95 is not None and seen.p95 <= _LIMIT_MS))


def _ask(
    api: httpx.Client, queries: Sequence[str], *, hits: int | None = None, **parameters: str | int
) -> list[tuple[float, Any]]:
    """Search for one after the other; returns the answers, and how many milliseconds each took. Raises `BenchError`."""
    answers: list[tuple[float, Any]] = []
    for q in queries:
        began = time.perf_counter()
        answer = api.get("/api/v1/logs/search", params={"q": q, **parameters})
        taken = (time.perf_counter() - began) * 1000
        page = answer.raise_for_status().json()
        if hits is not None and len(page["hits"]) != hits:
            raise BenchError(f"the search for {q} found {len(page['hits'])} lines instead of {hits}")
        answers.append((taken, page))
    return answers


def _measure_packing() -> list[Line]:
    """Pack a log, and find only its words, in turns: CPU time."""
    now = datetime.now(UTC)
    chunks = cut_lines(write_lines(0, 1, now), now)
    all_of_it, words = [], []
    for _ in range(_PACKED):
        began = time.process_time()
        blocks = list(cut_blocks(chunks, [], is_last=True))
        for block in blocks:
            survey_block(block, GroupFinder([]))
        all_of_it.append((time.process_time() - began) * 1000)
        began = time.process_time()
        for block in blocks:
            for part in gather_lines(block.chunks):
                number_words(plain_text(part.data))
        words.append((time.process_time() - began) * 1000)
    return [
        Line("CPU to pack 10,000 lines (1 MB)", "ms", summarize(all_of_it)),
        Line("… of which for the words of the index", "ms", summarize(words)),
    ]


def _measure_storing(bench: Bench) -> Line:
    """Store the blocks of some logs, with their words and without, in turns; nothing of it stays."""
    now = datetime.now(UTC)
    logs = [pack_job(number, _STORED, now) for number in range(_STORED)]
    bare = [
        msgspec.structs.replace(log, blocks=[msgspec.structs.replace(block, words=[]) for block in log.blocks])
        for log in logs
    ]
    with_words: list[float] = []
    without: list[float] = []
    with psycopg.connect(bench.dsn()) as connection:
        connection.execute("select make_log_block_partition('standard', %s)", [now.date()])
        connection.commit()
        for _ in range(_PACKED):
            for stored, times in ((logs, with_words), (bare, without)):
                began = time.perf_counter()
                with connection.cursor().copy(COPY_BLOCKS) as copy:
                    for log in stored:
                        for row in block_rows(log, new_id(), new_id(), now):
                            copy.write_row(row)
                times.append((time.perf_counter() - began) * 1000)
                connection.rollback()
    return Line(
        f"storing the blocks of {_STORED * LINES_PER_JOB:,} lines, beside the same without words",
        "ms",
        summarize(with_words),
        summarize(without),
        compare(with_words, without),
    )
