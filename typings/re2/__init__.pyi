# google-re2 ships no types. These are of what Howdah uses of it.

class error(Exception): ...  # noqa: N801, N818 - its name

class Options:
    max_mem: int
    log_errors: bool
    never_nl: bool
    case_sensitive: bool
    def __init__(self) -> None: ...

class _Match:
    def span(self, group: int = 0) -> tuple[int, int]: ...

class _Regexp:
    @property
    def programsize(self) -> int: ...
    def search(self, text: bytes, pos: int | None = None, endpos: int | None = None) -> _Match | None: ...

def compile(pattern: str, options: Options | None = None) -> _Regexp: ...  # noqa: A001
def purge() -> None: ...
