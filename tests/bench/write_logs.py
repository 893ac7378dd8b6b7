"""Logs as builds print them, packed as the scheduler packs them: a million lines take some seconds of a core."""

import random
from datetime import datetime, timedelta
from typing import Final

import msgspec

from services.scheduler.cut_blocks import cut_blocks
from services.scheduler.survey_block import SurveyedBlock, survey_block
from shared.logs.find_groups import GroupFinder
from shared.logs.stored_chunk import StoredChunk

# About 1 MB.
LINES_PER_JOB: Final = 10_000
# In one line of so many.
MIDDLE_EVERY: Final = 20_000
MIDDLE_WORDS: Final = 40
# Each in a line of so many jobs, spread over all.
RARE_LINES: Final = 3
# These two are in a third of the lines each, and never in the same.
NEVER_TOGETHER: Final = ("compiling", "downloading")

_CHUNK_BYTES: Final = 16 * 1024
_LINES: Final = (
    "{time} INFO  [{module}] compiling {module}/{name}.c -> build/{name}.o ({n} ms)",
    "{time} INFO  [{module}] downloading {name}-{n}.{m}.tar.gz from mirror {module} (id={id})",
    "{time} DEBUG [{module}] request {id} GET /api/v1/{module}/{name}?page={n} 200 in {m} ms",
    "{time} INFO  [{module}] downloading {name} {n}/{m} bytes sha256:{id}",
    "tests/{module}/test_{name}.py::test_{name}_{n} PASSED [{m}%]",
    "{time} WARN  [{module}] compiling {name}: unused variable 'value_{n}' at line {m}",
)


class PackedJob(msgspec.Struct, frozen=True):
    """The log of one job."""

    number: int
    lines: int
    bytes: int
    blocks: list[SurveyedBlock]


def rare_word(number: int) -> str:
    """Return a word that few lines have."""
    return f"rareword{number:04d}x"


def middle_word(number: int) -> str:
    """Return a word that is neither rare nor common."""
    return f"middleword{number:02d}x"


def pack_job(number: int, jobs: int, ended_at: datetime) -> PackedJob:
    """Return the log of one of so many jobs, always the same."""
    lines = write_lines(number, jobs, ended_at)
    chunks = cut_lines(lines, ended_at)
    groups = GroupFinder([])
    blocks = [survey_block(block, groups) for block in cut_blocks(chunks, [], is_last=True)]
    return PackedJob(number, len(lines), sum(map(len, lines)), blocks)


def write_lines(number: int, jobs: int, ended_at: datetime) -> list[bytes]:
    """Return the lines of one of so many jobs."""
    dice = random.Random(number)
    modules = [f"mod{dice.randrange(500):03d}" for _ in range(20)]
    names = [f"part{dice.randrange(20_000):05d}" for _ in range(2_000)]
    begin = ended_at - timedelta(seconds=LINES_PER_JOB / 10)
    times = [(begin + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S") for second in range(1000)]
    lines: list[str] = []
    for place in range(LINES_PER_JOB):
        line = _LINES[place % len(_LINES)].format(
            time=f"{times[place // 10]}.{dice.randrange(1000):03d}Z",
            module=modules[dice.randrange(20)],
            name=names[dice.randrange(2_000)],
            n=dice.randrange(1000),
            m=dice.randrange(1000),
            id=f"{dice.getrandbits(64):016x}",
        )
        # One middling word in half of the lines that it could be in, by the number of the line over all.
        seat = (number * LINES_PER_JOB + place) % MIDDLE_EVERY
        if seat % (MIDDLE_EVERY // MIDDLE_WORDS) == 0:
            line += f" {middle_word(seat // (MIDDLE_EVERY // MIDDLE_WORDS))}"
        lines.append(line)
    stretch = max(1, jobs // RARE_LINES)
    if number < stretch * RARE_LINES:
        lines[dice.randrange(LINES_PER_JOB)] += f" {rare_word(number % stretch)}"
    return [f"{line}\n".encode() for line in lines]


def cut_lines(lines: list[bytes], ended_at: datetime) -> list[StoredChunk]:
    """Return lines as chunks of a command that prints steadily."""
    chunks: list[StoredChunk] = []
    first = 0
    begin = ended_at - timedelta(seconds=len(lines) / 10)
    while first < len(lines):
        end, size = first, 0
        while end < len(lines) and size < _CHUNK_BYTES:
            size += len(lines[end])
            end += 1
        chunks.append(
            StoredChunk(
                seq=len(chunks) + 1,
                step=0,
                stream=1,
                first_line=first,
                continues=False,
                line_offsets_ms=[100 * place for place in range(end - first)],
                recorded_at=begin + timedelta(seconds=first / 10),
                data=b"".join(lines[first:end]),
            )
        )
        first = end
    return chunks
