"""Identifiers: one type each, so that a job's id cannot be passed for a run's.

All are UUIDv7 (RFC 9562, section 5.7), made here because PostgreSQL 15 has no ``uuidv7()``.
They sort by the time of their making, which keeps b-tree inserts at the right edge.
"""

import secrets
import time
from typing import NewType
from uuid import UUID

PipelineId = NewType("PipelineId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
RunId = NewType("RunId", UUID)
JobId = NewType("JobId", UUID)
ExecutorId = NewType("ExecutorId", UUID)
CommandId = NewType("CommandId", UUID)
ChannelId = NewType("ChannelId", UUID)
NotificationId = NewType("NotificationId", UUID)
TokenId = NewType("TokenId", UUID)

_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62
_RANDOM_BITS_UNDER_COUNTER = 42

_last_millisecond = -1
_counter = 0


def new_id() -> UUID:
    """Return a UUIDv7: 48 bits of Unix milliseconds, then a 32-bit counter, then 42 random bits.

    Ids made by one process strictly increase (RFC 9562, section 6.2, method 1): within one millisecond,
    and when the clock steps back, the counter rises instead of the time.
    """
    global _last_millisecond, _counter
    now = time.time_ns() // 1_000_000
    if now > _last_millisecond:
        _last_millisecond = now
        _counter = secrets.randbits(31)
    else:
        _counter += 1
        if _counter >> 32:
            _last_millisecond += 1
            _counter = 0
    counter_high = _counter >> 20
    counter_low = _counter & 0xFFFFF
    return UUID(
        int=(_last_millisecond << 80)
        | _VERSION_7
        | (counter_high << 64)
        | _VARIANT_RFC
        | (counter_low << _RANDOM_BITS_UNDER_COUNTER)
        | secrets.randbits(_RANDOM_BITS_UNDER_COUNTER)
    )
