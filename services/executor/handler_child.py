"""The process that runs handlers: strangers' code, which may at worst take this process down.

``python -m services.executor.handler_child <settings as JSON>``, started by `handler_process` with an environment of
the operator's choice. Gets calls on standard input and tells of their ends on standard output; both are out of the
handlers' way by the time that they are imported.
"""

import asyncio
import faulthandler
import gc
import logging
import os
import resource
import signal
import sys
from typing import Final, NoReturn

import msgspec
import uvloop

from services.executor.handler_channel import Channel
from services.executor.handler_forks import forked, leave_forked, watch_forks
from services.executor.handler_frames import (
    ChildSettings,
    GivenCalls,
    InterruptedCalls,
    NotStarted,
    Ping,
    Pong,
    Started,
    ToChild,
)
from services.executor.handler_marks import BeginMarks
from services.executor.handler_run_calls import CallRunner
from services.executor.handler_running import current_call
from services.executor.harden_process import harden_process
from shared.jobs.describe_handlers import describe_handlers
from shared.jobs.load_handlers import HandlersUnavailableError, load_handlers

_THREAD_STACK_BYTES: Final = 8 * 1024 * 1024


def serve(settings: ChildSettings) -> NoReturn:
    """Import the handlers and run calls until the executor closes the pipe."""
    # What operators give to handlers, commands that run under the same user are not to read.
    harden_process()
    channel = Channel()
    marks = BeginMarks.attach(settings.marks_fd, settings.seats)
    # Ctrl-C in a terminal, if somebody joins our session to one, is the executor's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()
    _configure_logging(settings.log_level)
    try:
        handlers = load_handlers(settings.modules, entry_points=settings.entry_points)
        catalog = describe_handlers(handlers.values())
    except HandlersUnavailableError as error:
        channel.send_blocking(NotStarted(str(error)))
        os._exit(1)
    _limit_memory(settings)
    # Where relative paths lead is not to be our code.
    os.chdir("/")
    # What is there now stays: no collection needs to look at it again.
    gc.collect()
    gc.freeze()
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)

    def let_go() -> None:
        channel.abandon()
        loop.stop()

    watch_forks(let_go)

    async def begin() -> None:
        runner = CallRunner(handlers, marks.seats, channel, settings.concurrency)

        def take(message: ToChild) -> None:
            match message:
                case GivenCalls(seats=seats, calls=calls):
                    runner.give(seats, calls)
                case InterruptedCalls(keys=keys, why=why):
                    runner.interrupt(keys, why)
                case Ping():
                    channel.send(Pong())

        channel.listen(take)
        channel.send(Started(catalog))

    loop.run_until_complete(begin())
    while True:
        loop.run_forever()
        # A handler has stopped the loop, or something that it forked has come back to it.
        if forked.is_set:
            leave_forked()


def _limit_memory(settings: ChildSettings) -> None:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - as light as it gets
        pages = int(file.read().split()[0])
    # Address space is not memory: the stacks of threads count in full, though little of them is ever used.
    limit = pages * resource.getpagesize() + settings.memory_bytes + settings.concurrency * _THREAD_STACK_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _configure_logging(level: str) -> None:
    """Plain lines on standard error, which the executor puts into its own log; with the job that they are about."""

    def name_job(record: logging.LogRecord) -> bool:
        call = current_call.get()
        record.job = "" if call is None else f" [job {call.job_id}]"
        return True

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s%(job)s: %(message)s"))
    handler.addFilter(name_job)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


if __name__ == "__main__":
    serve(msgspec.json.decode(sys.argv[1], type=ChildSettings))
