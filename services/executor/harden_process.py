"""Keep the executor's secrets from the commands that it runs under the same user.

Light on purpose: the reaper imports this before anything else (see `reap_processes`).
"""

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4


def harden_process() -> None:
    """Make this process undumpable and forbid it core files.

    An undumpable process (prctl(2), ``PR_SET_DUMPABLE``) can be traced, and its ``/proc/<pid>/environ``,
    ``mem`` and ``fd`` can be read, by nobody but root, even when a command runs under the very same user. The
    flag is inherited by fork and reset by exec, so commands themselves stay debuggable. The limit on core
    files is soft: commands may raise it again.

    Raises OSError when the kernel refuses.
    """
    call_prctl(_PR_SET_DUMPABLE, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def call_prctl(option: int, argument: int | bytes) -> None:
    """Call prctl(2) with one argument. Raises OSError when the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    value = ctypes.c_char_p(argument) if isinstance(argument, bytes) else ctypes.c_ulong(argument)
    if libc.prctl(ctypes.c_int(option), value, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")
