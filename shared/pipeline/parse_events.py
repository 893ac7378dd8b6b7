"""The YAML parser, as a stream of events: no recursion, and nothing is built that was not looked at first."""

import re
from collections.abc import Iterator

import yaml

from shared.pipeline.explain_syntax import explain_syntax
from shared.pipeline.locate import convert_mark, split_lines
from shared.pipeline.problem import START, Mark, ProblemList, StopReading

# libyaml where PyYAML was built with it; the parser in Python is some ten times slower, and just as bounded.
EVENT_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_BLANK = re.compile(r"[ \t]*(#.*)?")


def parse_events(text: str, problems: ProblemList) -> Iterator[yaml.Event]:
    """Yield the events of the file's only document.

    Raises `StopReading` for malformed YAML, directives, and further documents.
    """
    lines = split_lines(text)
    _refuse_directives(lines, problems)
    try:
        for event in yaml.parse(text, Loader=EVENT_LOADER):
            yield event
            if isinstance(event, yaml.DocumentEndEvent):
                _refuse_documents(lines, event, problems)
                return
    except yaml.YAMLError as error:
        explain_syntax(error, text, problems)
        raise StopReading from error
    except (ValueError, OverflowError) as error:  # from the parser in Python, for escapes beyond Unicode
        problems.add(START, "", "not valid YAML: an escape stands for no character")
        raise StopReading from error


def _refuse_directives(lines: list[str], problems: ProblemList) -> None:
    """Refuse `%YAML` and `%TAG`: nothing here needs them, and the parser's time for them is quadratic."""
    for number, line in enumerate(lines, 1):
        if line.startswith("%"):
            problems.stop(Mark(number, 1), "", "directives are not supported", "delete this line")
        if not _BLANK.fullmatch(line):
            return


def _refuse_documents(lines: list[str], end: yaml.Event, problems: ProblemList) -> None:
    at = convert_mark(end.end_mark)
    for number, line in enumerate(lines[at.line - 1 :], at.line):
        rest = line[at.column - 1 :] if number == at.line else line
        if not _BLANK.fullmatch(rest):
            problems.stop(Mark(number, 1), "", "the file holds more than one document", "keep one, without `---`")
