"""Groups of lines that a log's commands mark, so that a reader may fold them. Pure.

Known are `::group::name` and `::endgroup::` (GitHub Actions; `##[group]name` and `##[endgroup]` in Azure Pipelines),
which do not nest, and `section_start:time:key` and `section_end:time:key` (GitLab CI), which do. A group ends with its
step at the latest.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from shared.logs.outline import Group

MOST_GROUPS: Final = 1000

_MOST_NAME: Final = 200
# Looked for first: most logs hold no mark at all.
_SIGNS: Final = ("group::", "group]", "section_")
_MARK: Final = re.compile(
    r"(?:^|(?<=\r))[ \t]*+(?:"
    r"(?P<opens>::group::|\#\#\[group\])(?P<name>[^\r\n]*)|(?P<closes>::endgroup::|\#\#\[endgroup\])"
    r"|section_start:\d{1,20}:(?P<starts>[\w.-]{1,200})(?:\[[^\]\n]{0,200}\])?(?:\r(?!section_)(?P<header>[^\r\n]*))?"
    r"|section_end:\d{1,20}:(?P<ends>[\w.-]{1,200}))",
    re.MULTILINE,
)


class GroupFinder:
    """Finds the groups of one attempt's log; after `MOST_GROUPS`, further ones are passed over.

    `known` is what an earlier finder, which saw the lines before, had found.
    """

    def __init__(self, known: Iterable[Group] = ()) -> None:
        self.groups = list(known)
        # Places of the open ones.
        self._open = [place for place, group in enumerate(self.groups) if group.line_count is None]

    def feed(self, first_line: int, step: int, text: str) -> None:
        """Look at whole lines of one step that follow one another: `plain_text`, so without control sequences."""
        if self._open and self.groups[self._open[0]].step != step:
            self.finish(first_line)
        if not any(sign in text for sign in _SIGNS):
            return
        number, counted = first_line, 0
        for mark in _MARK.finditer(text):
            number += text.count("\n", counted, mark.start())
            counted = mark.start()
            if mark["opens"]:
                self._close("", number)
                self._begin(Group(mark["name"].strip()[:_MOST_NAME], step, number))
            elif mark["starts"]:
                header = (mark["header"] or "").strip() or mark["starts"]
                self._begin(Group(header[:_MOST_NAME], step, number, key=mark["starts"]))
            else:
                self._close(mark["ends"] or "", number + 1)

    def finish(self, line_count: int) -> None:
        """Close what is open: the log, or its step, ends before the line of this number."""
        for place in self._open:
            self._end(place, line_count)
        self._open.clear()

    def _begin(self, group: Group) -> None:
        if len(self.groups) < MOST_GROUPS:
            self._open.append(len(self.groups))
            self.groups.append(group)

    def _close(self, key: str, end: int) -> None:
        """Close the innermost open group of that key, and those within it."""
        for depth in reversed(range(len(self._open))):
            if self.groups[self._open[depth]].key == key:
                for place in self._open[depth:]:
                    self._end(place, end)
                del self._open[depth:]
                return

    def _end(self, place: int, end: int) -> None:
        group = self.groups[place]
        self.groups[place] = msgspec.structs.replace(group, line_count=max(1, end - group.first_line))
