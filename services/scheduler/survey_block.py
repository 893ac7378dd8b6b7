"""What is found in the lines of a block: its words, and how grave they are. Pure.

A line that goes over the border of a block belongs, with all of its words, to every block that holds a part of it: who
looks for two words in one line finds them in one block. Its level counts in the block in which it begins.
"""

from collections import Counter
from datetime import datetime, timedelta

import msgspec

from services.scheduler.cut_blocks import CutBlock
from shared.logs.find_groups import GroupFinder
from shared.logs.find_level import Level, find_level
from shared.logs.gather_lines import gather_lines
from shared.logs.pack_block import encode_block
from shared.logs.split_words import number_words
from shared.logs.strip_ansi import plain_text


class SurveyedBlock(msgspec.Struct, frozen=True):
    """A block as it is stored."""

    first_seq: int
    last_seq: int
    first_line: int
    line_count: int
    byte_count: int
    last_at: datetime
    levels: dict[Level, int]
    words: list[int]
    data: bytes

    @property
    def top_level(self) -> Level:
        """The gravest level of its lines."""
        return max(self.levels, default=Level.UNMARKED)


def survey_block(block: CutBlock, groups: GroupFinder) -> SurveyedBlock:
    """Encode a block and find what is in it; its groups are added to `groups`."""
    words: set[int] = set()
    levels: Counter[Level] = Counter()
    for lines in gather_lines(block.chunks, block.before, block.after):
        text = plain_text(lines.data)
        words |= number_words(text)
        if lines.first is not None:
            levels.update(map(find_level, text.split("\n")[:-1]))
            groups.feed(lines.first, lines.step, text)
    chunks = block.chunks
    return SurveyedBlock(
        first_seq=chunks[0].seq,
        last_seq=chunks[-1].seq,
        first_line=chunks[0].first_line,
        line_count=sum(len(chunk.line_offsets_ms) for chunk in chunks),
        byte_count=sum(len(chunk.data) for chunk in chunks),
        last_at=max(
            chunk.recorded_at + timedelta(milliseconds=max(chunk.line_offsets_ms, default=0)) for chunk in chunks
        ),
        levels={level: count for level, count in levels.items() if level is not Level.UNMARKED},
        words=sorted(words),
        data=encode_block(chunks),
    )
