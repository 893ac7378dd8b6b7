"""Jobs to enqueue, as the body of a request brings them: decoded, and checked as far as that needs no database."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from services.ingest.clean_text import STORABLE_PATTERN
from services.ingest.name_field import describe_validation
from services.ingest.problem_details import Problem, bad_field
from services.ingest.read_strict_json import read_strict_json
from shared.jobs.retry_policy import RetryPolicy

MOST_JOBS: Final = 10_000
MOST_PAYLOAD_BYTES: Final = 1024 * 1024
_MOST_METADATA_BYTES: Final = 64 * 1024
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

JobTypeName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.-]{0,62}$(?!\n)")]
QueueName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$(?!\n)")]
Label = Annotated[str, Meta(min_length=1, max_length=63, pattern=r"^[\x21-\x7e]+$(?!\n)")]
Key = Annotated[str, Meta(min_length=1, max_length=255, pattern=STORABLE_PATTERN)]
Moment = Annotated[datetime, Meta(tz=True)]


def _no_payload() -> msgspec.Raw:
    return msgspec.Raw(b"null")


class NewJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A job to enqueue. What is left out is as its handler, or Howdah, has it by default."""

    type: JobTypeName
    # Stored as it came; null, if it is left out.
    payload: msgspec.Raw = msgspec.field(default_factory=_no_payload)
    queue: QueueName | None = None
    labels: Annotated[list[Label], Meta(max_length=20)] | None = None
    # When it may start: one of the two, or at once.
    run_at: Moment | None = None
    delay_seconds: Annotated[float, Meta(ge=0, le=315_576_000)] | None = None
    # A higher one goes first; a point is worth a minute of waiting.
    priority: Annotated[int, Meta(ge=-100, le=100)] | None = None
    max_attempts: Annotated[int, Meta(ge=1, le=100)] | None = None
    timeout_seconds: Annotated[int, Meta(ge=1, le=604_800)] | None = None
    idempotency_key: Key | None = None
    # How long the key counts: a week, if it is left out.
    idempotency_seconds: Annotated[float, Meta(ge=1, le=31_622_400)] | None = None
    concurrency_key: Key | None = None
    retry: RetryPolicy | None = None
    metadata: dict[str, Any] | None = None
    traceparent: Annotated[str, Meta(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$(?!\n)")] | None = (
        None
    )


class ReadJobs(msgspec.Struct, frozen=True):
    """What a body holds: the jobs, their payloads as values, and whether it was an array."""

    jobs: list[NewJob]
    payloads: list[Any]
    many: bool
    # The field that holds the job, if it is not the body itself.
    below: str = ""

    def field(self, place: int, name: str) -> str:
        """Return how an error names a field of the job at a place."""
        if self.below:
            return f"{self.below}.{name}"
        return f"[{place}].{name}" if self.many else name


Document = TypeVar("Document")

_decoder: Final = msgspec.json.Decoder(list[NewJob] | NewJob)


def read_new_jobs(body: bytes) -> ReadJobs:
    """Read one job, or an array of them.

    Raises `Problem`: 400 for what is not JSON, 413 for a payload over 1 MiB, 422 for a field that is missing or wrong.
    """
    document = read_strict_json(body)
    decoded = decode_document(body, _decoder)
    many = isinstance(decoded, list)
    jobs = decoded if isinstance(decoded, list) else [decoded]
    entries = document if many else [document]
    if len(jobs) > MOST_JOBS:
        raise bad_field("body", f"it holds {len(jobs)} jobs: send at most {MOST_JOBS} at a time")
    read = ReadJobs(jobs, [entry.get("payload") for entry in entries], many)
    for place, job in enumerate(jobs):
        check_job(read, place, job)
    return read


def decode_document(body: bytes, decoder: msgspec.json.Decoder[Document]) -> Document:
    """Decode what `read_strict_json` has found to be JSON.

    Raises `Problem`: 422 for a field that is missing or wrong.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        wrong = describe_validation(error)
        raise Problem(
            422, "bad-field", f"The field `{wrong.field}` is wrong: {wrong.message}.", errors=[wrong]
        ) from None
    except msgspec.DecodeError as error:
        raise Problem(400, "bad-json", f"The body is not JSON: {error}.") from None


def check_job(read: ReadJobs, place: int, job: NewJob) -> None:
    """Refuse what types cannot say: sizes, and times that exclude each other. Raises `Problem`."""
    if len(memoryview(job.payload)) > MOST_PAYLOAD_BYTES:
        raise too_large(read.field(place, "payload"), "1 MiB")
    if job.metadata is not None and len(msgspec.json.encode(job.metadata)) > _MOST_METADATA_BYTES:
        raise too_large(read.field(place, "metadata"), "64 KiB")
    if job.run_at is not None:
        if job.delay_seconds is not None:
            raise bad_field(read.field(place, "delay_seconds"), "give it or `run_at`, not both")
        if not _EARLIEST <= job.run_at < _LATEST:
            raise bad_field(read.field(place, "run_at"), "it lies outside of the years 1970 to 2199")


def too_large(field: str, most: str) -> Problem:
    """Return the answer for a field that holds too much."""
    detail = f"`{field}` has more than {most}: store it elsewhere, and pass where it is."
    return Problem(413, "too-large", detail)
