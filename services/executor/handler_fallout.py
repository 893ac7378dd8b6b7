"""A handler process has died: what becomes of each call that was in its hands."""

import signal
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from services.executor.handler_end_call import end_crashed, end_interrupted
from services.executor.handler_flight import FlyingCall
from services.executor.handler_frames import OUT_OF_MEMORY_STATUS, CallEnd
from services.executor.handler_process import Condemnation, HandlerProcess
from shared.jobs.retry_policy import RetryPolicy

# What a process's death adds to the losses of a call that is not to blame: little if it had not even begun.
_LOSS_BEGUN: Final = 4
_LOSS_WAITING: Final = 1
# With so many, a call is suspected, whatever the marks say.
_LOSSES_SUSPECT: Final = 12
# With so many it is to blame, though every time it had not even begun.
_LOSSES_GUILTY: Final = 24


class Fallout(Struct, frozen=True):
    """The calls of a dead process, sorted."""

    # These have ended with it: they were to blame, or were to end anyway.
    ended: list[tuple[FlyingCall, CallEnd]]
    # One of these is to blame, and they are run again, each alone.
    suspects: list[FlyingCall]
    # These are run again as if nothing had happened.
    innocents: list[FlyingCall]
    # The death, by number, of which a call was suspected that has now been found guilty; 0: none.
    solved: int = 0


def sort_out(
    process: HandlerProcess, cause: Condemnation, policies: Mapping[str, RetryPolicy], *, death: int
) -> Fallout:
    """Sort the calls that a dead process still held. Its death is the one with the number ``death``, from 1.

    If nobody knows who is to blame, whoever had begun and not ended is suspected. One that was alone in quarantine
    is to blame.
    """
    ended: list[tuple[FlyingCall, CallEnd]] = []
    suspects: list[FlyingCall] = []
    innocents: list[FlyingCall] = []
    solved = 0
    for flying in process.calls.values():
        policy = policies.get(flying.call.job_type, RetryPolicy())
        why = cause.culprits.get(flying.call.key) or flying.interrupted
        if why is not None:
            ended.append((flying, end_interrupted(flying.call, why, policy)))
            if process.is_solitary and flying.call.key in cause.culprits:
                solved = flying.death
            continue
        begun_at = process.begun_at(flying)
        if process.is_solitary and begun_at != 0:
            ended.append((flying, _blame(flying, cause, policy)))
            solved = flying.death
            continue
        # In a process that did not even answer, who was found out need not have been the only one.
        if begun_at > 0 and (process.is_silent or not cause.culprits):
            flying.death = death
            suspects.append(flying)
            continue
        flying.losses += _LOSS_WAITING if begun_at == 0 else _LOSS_BEGUN
        if flying.losses >= _LOSSES_GUILTY:
            ended.append((flying, _blame(flying, cause, policy)))
        elif process.is_solitary:
            suspects.append(flying)
        elif flying.losses >= _LOSSES_SUSPECT:
            flying.death = 0
            suspects.append(flying)
        else:
            innocents.append(flying)
    # Who has begun last is the most likely, and whoever has been waiting for hours would be the last to be cleared.
    suspects.sort(key=process.begun_at, reverse=True)
    return Fallout(ended, suspects, innocents, solved)


def clear_suspects(suspects: Iterable[FlyingCall], solved: int) -> tuple[list[FlyingCall], list[FlyingCall]]:
    """Return who is cleared of a death whose culprit has been found, and who stays suspected, both in their order.

    A process dies of one call, as a rule; of two, the next death tells. Whoever has been there too often stays.
    """
    cleared: list[FlyingCall] = []
    kept: list[FlyingCall] = []
    for flying in suspects:
        if flying.death != solved:
            kept.append(flying)
            continue
        flying.losses += _LOSS_BEGUN
        flying.death = 0
        (kept if flying.losses >= _LOSSES_SUSPECT else cleared).append(flying)
    return cleared, kept


def _blame(flying: FlyingCall, cause: Condemnation, policy: RetryPolicy) -> CallEnd:
    return end_crashed(flying.call, policy, cause.reason, f"took its process down with it, which {cause.how}")


def describe_exit(code: int) -> Condemnation:
    """Say how a process ended that we did not kill; ``code`` is negative for a signal."""
    if code == OUT_OF_MEMORY_STATUS:
        return Condemnation("ran out of memory", "out_of_memory")
    if code >= 0:
        return Condemnation(f"exited with status {code}")
    try:
        return Condemnation(f"was ended by {signal.Signals(-code).name}")
    except ValueError:
        return Condemnation(f"was ended by signal {-code}")
