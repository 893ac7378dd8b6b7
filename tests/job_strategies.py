"""What may happen to jobs on their own, for Hypothesis to draw from."""

from hypothesis import strategies as st

from shared.queries.models import AttemptOutcome, JobState
from tests.job_model import UNSUCCESSFUL, WAITING, NewJob

# How an attempt ends: outcome, seconds until the next try, reason.
End = tuple[AttemptOutcome, int, str]

TYPES = ("a", "b")
QUEUES = ("q", "r")
# Apart by so much more than a story takes that only these count, not the seconds that pass meanwhile.
HOUR = 3600
ENDS = st.sampled_from(
    [
        (AttemptOutcome.SUCCEEDED, -1, ""),
        (AttemptOutcome.FAILED, -1, "no_handler"),
        (AttemptOutcome.ERRORED, 0, "TimeoutError"),
        (AttemptOutcome.ERRORED, HOUR, ""),
        (AttemptOutcome.TIMED_OUT, HOUR, ""),
        (AttemptOutcome.SNOOZED, 0, "snoozed"),
        (AttemptOutcome.SNOOZED, 2 * HOUR, "snoozed"),
        (AttemptOutcome.HANDED_BACK, -1, ""),
        (AttemptOutcome.CANCELED, -1, ""),
    ]
)
NEW_JOB = st.builds(
    NewJob,
    job_type=st.sampled_from(TYPES),
    queue=st.sampled_from(QUEUES),
    payload=st.sampled_from([1, 2]),
    priority=st.sampled_from([0, 0, 5, -5]),
    delay_seconds=st.sampled_from([0, 0, HOUR, 2 * HOUR]),
    max_attempts=st.sampled_from([1, 1, 2, 3]),
    limit=st.sampled_from([None, None, "one", "two", "rated", "rated"]),
    key=st.sampled_from([None, None, None, "k", "l"]),
    key_seconds=st.sampled_from([HOUR // 2, 5 * HOUR // 2]),
)
COMMANDS = {
    "cancel": (*WAITING, JobState.RUNNING),
    "redrive": tuple(UNSUCCESSFUL),
    "discard": (JobState.DEAD,),
}
NEW_JOBS = st.lists(NEW_JOB, min_size=1, max_size=8)
