"""A linter that needs nothing but Python: it finds tabs, trailing blanks and long lines."""

import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST = 100


def lint_file(path: Path) -> Iterator[str]:
    """Yield what is wrong with a file."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if "\t" in line:
            yield f"{path}:{number}: a tab"
        if line != line.rstrip():
            yield f"{path}:{number}: blanks at the end of the line"
        if len(line) > LONGEST:
            yield f"{path}:{number}: longer than {LONGEST} characters"


def main() -> None:
    """Lint all Python files below the directories named on the command line."""
    paths = sorted(path for directory in sys.argv[1:] for path in Path(directory).rglob("*.py"))
    problems = []
    for path in paths:
        print(f"checking {path}")
        problems.extend(lint_file(path))
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(paths)} files, nothing to complain of")


if __name__ == "__main__":
    main()
