"""The errors that Howdah expects. Everything else escapes, is logged once, and ends its request or process."""


class HowdahError(Exception):
    """Root of the errors that Howdah raises on purpose."""


class ConfigurationError(HowdahError):
    """Settings are missing or malformed; the message lists every one of them, by name."""


class SchemaMismatchError(HowdahError):
    """The database's schema and this code do not fit each other; the message says which must move."""


class DatabaseUnavailableError(HowdahError):
    """PostgreSQL did not answer: try again later."""


class DataRefusedError(HowdahError):
    """PostgreSQL cannot store a value: a NUL in text, a number beyond its range. Nothing has been done."""


class LeaseLostError(HowdahError):
    """The job is no longer ours: its claim epoch or its executor has moved on. Stop working on it."""


class SealError(HowdahError):
    """A sealed value cannot be opened: unknown key id, or the ciphertext was altered or moved."""


class DamagedBlockError(HowdahError):
    """A block of a log cannot be decoded: it was altered, cut off, or written by a newer version."""


class RefusedError(HowdahError):
    """The database refused what was asked for: malformed, taken or too large. Trying again changes nothing.

    `code` is the SQLSTATE: HD422, HD409 or HD413; the message says what is wrong, `hint` what to do.
    """

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
