"""An ``on_output`` that records, can be waited for, and can be made to block."""

import anyio

from services.executor.spawn_process import OutputStream


class RecordedOutput:
    def __init__(self) -> None:
        self.pieces: list[tuple[OutputStream, bytes, float]] = []
        self.gate = anyio.Event()
        self.gate.set()
        self._changed = anyio.Event()

    async def __call__(self, stream: OutputStream, data: bytes, at: float) -> None:
        self.pieces.append((stream, data, at))
        self._changed.set()
        await self.gate.wait()

    def block(self) -> None:
        self.gate = anyio.Event()

    @property
    def stdout(self) -> bytes:
        return b"".join(data for stream, data, _ in self.pieces if stream == "stdout")

    @property
    def stderr(self) -> bytes:
        return b"".join(data for stream, data, _ in self.pieces if stream == "stderr")

    async def wait_for(self, text: bytes) -> None:
        with anyio.fail_after(20):
            while text not in self.stdout:
                self._changed = anyio.Event()
                await self._changed.wait()
