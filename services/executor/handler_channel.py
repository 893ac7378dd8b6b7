"""The handler process's end of the pipes to its executor."""

import asyncio
import fcntl
import os
import resource
from collections import deque
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from services.executor.handler_frames import FrameBuffer, FromChild, ToChild, encode_frame

_READ_BYTES: Final = 1024 * 1024
# Out of the way of handlers that open files, and of those that close what they did not open.
_FIRST_FD: Final = 400
# So much may wait to be written before no further calls are begun.
_BACKLOG_BYTES: Final = 8 * 1024 * 1024

_decoder = msgspec.msgpack.Decoder(ToChild)


class Channel:
    """Reads frames and writes frames, without ever blocking. Standard input and output become the handlers' own."""

    def __init__(self) -> None:
        """Take over the pipes that are standard input and output; handlers get /dev/null and standard error there."""
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        first = min(_FIRST_FD, most // 2)
        self._read_fd = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, first)
        self._write_fd = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, first)
        self._null_fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(self._null_fd, 0)
        os.dup2(2, 1)
        self._frames = FrameBuffer()
        self._rest: deque[memoryview] = deque()
        self._rest_bytes = 0
        self._drained: asyncio.Event = asyncio.Event()
        self._drained.set()

    def send_blocking(self, message: FromChild) -> None:
        """Write a message before there is a loop."""
        rest = memoryview(encode_frame(message))
        os.set_blocking(self._write_fd, True)
        while rest:
            rest = rest[os.write(self._write_fd, rest) :]

    def listen(self, on_message: Callable[[ToChild], None]) -> None:
        """From now on hand every message to ``on_message``. When there will be no more, this process ends."""
        loop = asyncio.get_running_loop()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)

        def read() -> None:
            try:
                data = os.read(self._read_fd, _READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                _leave()
            if not data:
                _leave()
            for payload in self._frames.feed(data):
                on_message(_decoder.decode(payload))

        loop.add_reader(self._read_fd, read)

    def send(self, message: FromChild) -> None:
        """Write a message, now or as soon as the pipe has room."""
        data = memoryview(encode_frame(message))
        if not self._rest:
            data = data[self._write(data) :]
            if not data:
                return
            asyncio.get_running_loop().add_writer(self._write_fd, self._write_rest)
        self._rest.append(data)
        self._rest_bytes += len(data)
        if self._rest_bytes > _BACKLOG_BYTES:
            self._drained.clear()

    @property
    def is_choked(self) -> bool:
        """Whether the executor reads more slowly than we write; see `wait_drained`."""
        return not self._drained.is_set()

    async def wait_drained(self) -> None:
        """Return once there is room for more."""
        await self._drained.wait()

    def abandon(self) -> None:
        """In a forked child: let go of the pipes, without a word."""
        os.dup2(self._null_fd, self._read_fd, inheritable=False)
        os.dup2(self._null_fd, self._write_fd, inheritable=False)

    def _write_rest(self) -> None:
        while self._rest:
            written = self._write(self._rest[0])
            self._rest_bytes -= written
            if written < len(self._rest[0]):
                self._rest[0] = self._rest[0][written:]
                return
            self._rest.popleft()
        self._drained.set()
        asyncio.get_running_loop().remove_writer(self._write_fd)

    def _write(self, data: memoryview) -> int:
        try:
            return os.write(self._write_fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            _leave()


def _leave() -> NoReturn:
    # Not sys.exit: neither a handler's `finally` nor its threads have any business with this executor any more.
    os._exit(0)
