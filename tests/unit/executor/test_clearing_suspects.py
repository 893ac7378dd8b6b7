"""Who is cleared when the culprit of a process's death has been found."""

from services.executor.handler_fallout import clear_suspects
from services.executor.handler_flight import FlyingCall
from services.executor.handler_frames import Call


def _suspect(key: int, death: int, losses: int = 0) -> FlyingCall:
    call = Call(key, "a", b"null", "", 1, 1, 1, 60.0)
    return FlyingCall(call, death=death, losses=losses)


def test_only_suspects_of_that_death_are_cleared_in_their_order() -> None:
    suspects = [_suspect(1, death=2), _suspect(2, death=1), _suspect(3, death=2), _suspect(4, death=0)]
    cleared, kept = clear_suspects(suspects, 2)
    assert [flying.call.key for flying in cleared] == [1, 3]
    assert [flying.call.key for flying in kept] == [2, 4]
    assert [flying.death for flying in (*cleared, *kept)] == [0, 0, 1, 0]


def test_who_is_always_there_when_a_process_dies_stays_suspected_of_none_in_particular() -> None:
    flying = _suspect(1, death=0)
    for death in (1, 2):
        flying.death = death
        assert clear_suspects([flying], death) == ([flying], [])
    flying.death = 3
    assert clear_suspects([flying], 3) == ([], [flying])
    # No culprit that is found later clears it: it runs alone.
    assert flying.death == 0
