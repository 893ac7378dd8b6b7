"""Where removal goes on: right behind what was removed, and in bounded memory."""

from services.scheduler.removal_place import RemovalPlace
from shared.ids import JobId, new_id


def test_removal_goes_on_where_it_was_left_until_the_log_is_gone() -> None:
    place = RemovalPlace()
    job_id = JobId(new_id())
    assert place.after(job_id, 1) == 0
    place.went(job_id, 1, 1000)
    assert (place.after(job_id, 1), place.after(job_id, 2)) == (1000, 0)
    place.went(job_id, 1, None)
    assert place.after(job_id, 1) == 0


def test_logs_that_others_bring_to_their_end_are_not_remembered_for_ever() -> None:
    place = RemovalPlace()
    logs = [JobId(new_id()) for _ in range(1000)]
    for job_id in logs:
        place.went(logs[0], 1, 1000)
        place.went(job_id, 1, 1000)
    remembered = [job_id for job_id in logs if place.after(job_id, 1)]
    assert len(remembered) <= 100
    assert logs[-1] in remembered
    assert logs[0] in remembered, "what goes on is remembered, whatever else there is"
