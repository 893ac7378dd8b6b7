"""Two things at once: both answers, or the first fault as it is."""

import anyio
import pytest

from services.executor.await_both import await_both


async def test_both_are_under_way_at_once() -> None:
    met = anyio.Event()

    async def wait_for_other() -> str:
        await met.wait()
        return "one"

    async def meet() -> int:
        met.set()
        return 2

    with anyio.fail_after(30):
        assert await await_both(wait_for_other, meet) == ("one", 2)
        met = anyio.Event()
        assert await await_both(meet, wait_for_other) == (2, "one")


@pytest.mark.parametrize("failing_first", [True, False])
async def test_what_one_raises_comes_out_as_it_is_and_ends_the_other(failing_first: bool) -> None:
    ended = []

    async def fail() -> None:
        await anyio.lowlevel.checkpoint()
        raise KeyError("gone")

    async def wait_for_ever() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    with anyio.fail_after(30), pytest.raises(KeyError, match="gone"):
        await (await_both(fail, wait_for_ever) if failing_first else await_both(wait_for_ever, fail))
    assert ended == [True]
