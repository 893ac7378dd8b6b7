"""How much a pipeline file may hold. Every limit is checked before the memory for what it limits is taken."""

from typing import Final

MAX_FILE_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
# What all aliases together may add, in characters plus a few for each value: about as much again as the
# largest file holds.
MAX_ALIAS_COST: Final = 256 * 1024
MAX_PROBLEMS: Final = 50

MAX_JOBS: Final = 500
MAX_STEPS: Final = 100
MAX_PATTERNS: Final = 50
MAX_EVENTS: Final = 10
MAX_NAME_CHARACTERS: Final = 200
MAX_PATTERN_CHARACTERS: Final = 255
# Linux takes 128 KiB for one argument or variable of a process; longer scripts belong into a file.
MAX_SCRIPT_BYTES: Final = 64 * 1024
# The pipeline's variables are stored with each of its jobs, so a mapping of them is kept small.
MAX_VARIABLES: Final = 100
MAX_VARIABLES_BYTES: Final = 32 * 1024
MAX_PAYLOAD_BYTES: Final = 64 * 1024

MAX_TIMEOUT_SECONDS: Final = 24 * 3600
DEFAULT_TIMEOUT_SECONDS: Final = 3600

JOB_KEY: Final = "[A-Za-z_][A-Za-z0-9_-]{0,62}"
RESERVED_JOB_KEYS: Final = ("plan",)
JOB_TYPE: Final = "[a-z][a-z0-9_.-]{0,62}"
VARIABLE_NAME: Final = "[A-Za-z_][A-Za-z0-9_]*"
RESERVED_VARIABLE_PREFIX: Final = "HOWDAH_"
