"""What is known of a finished log as a whole: the column `attempt.log_outline`."""

import msgspec


class Group(msgspec.Struct, frozen=True):
    """Lines that belong together under a name, from the one that opens the group to the one that closes it."""

    name: str
    step: int
    first_line: int
    # None while it is open.
    line_count: int | None = None
    # What a section of GitLab's kind is closed by; empty for the other kind.
    key: str = ""


class LogOutline(msgspec.Struct, frozen=True):
    """How many lines have which level, by its name in lower case, and the groups in the order of their first lines."""

    levels: dict[str, int] = {}
    groups: list[Group] = []
