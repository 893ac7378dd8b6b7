"""Send an e-mail, and say what the server's words mean for the job."""

from collections.abc import Mapping
from typing import Final

from aiosmtplib import SMTPAuthenticationError, SMTPException, SMTPResponseException

from shared.errors import ConfigurationError
from shared.jobs import JobContext, JobError, PermanentError, RetryableError
from shared.jobs.builtin.compose_email import compose_email
from shared.jobs.builtin.converse_smtp import Refusal, converse_smtp
from shared.jobs.builtin.read_mail_address import MailAddress, read_mail_address
from shared.jobs.builtin.read_settings import MailSettings, read_settings
from shared.jobs.builtin.read_smtp_url import SmtpServer, read_smtp_url
from shared.jobs.builtin.send_email import MOST_SECONDS, SendEmail, Sent
from shared.outgoing.describe_failure import describe_failure

_MOST_WORDS: Final = 300
_MOST_TOLD: Final = 2000


async def hand_in_email(payload: SendEmail, context: JobContext, *, within_seconds: float = MOST_SECONDS) -> Sent:
    """Send one e-mail.

    Raises `PermanentError` and `RetryableError`; their messages hold nothing of HOWDAH_SMTP_URL.
    """
    server, sender = _settings()
    envelope = compose_email(payload, sender=sender, job_id=context.job_id)
    try:
        handed_in = await converse_smtp(
            server,
            envelope,
            last_chance=context.attempt >= context.max_attempts,
            within_seconds=within_seconds,
        )
    except (SMTPException, OSError) as error:
        raise _as_job_error(error, within_seconds) from None
    if not handed_in.sent:
        raise _refused(handed_in.refused)
    return Sent(
        message_id=envelope.message_id,
        accepted=[recipient for recipient in envelope.recipients if recipient not in handed_in.refused],
        refused={recipient: _told(refusal.code, refusal.words) for recipient, refusal in handed_in.refused.items()},
    )


def _settings() -> tuple[SmtpServer, MailAddress]:
    try:
        settings = read_settings(MailSettings)
        if not settings.smtp_url or not settings.smtp_from:
            missing = "HOWDAH_SMTP_FROM" if settings.smtp_url else "HOWDAH_SMTP_URL"
            raise ConfigurationError(f"e-mail is not set up: {missing} is not set for the handlers of this executor")
        try:
            return read_smtp_url(settings.smtp_url), read_mail_address(settings.smtp_from)
        except ValueError as error:
            raise ConfigurationError(f"HOWDAH_SMTP_FROM: {error}") from None
    except ConfigurationError as error:
        raise PermanentError(str(error), reason="bad_settings") from None


def _as_job_error(error: Exception, within_seconds: float) -> JobError:
    match error:
        case SMTPAuthenticationError():
            # What was said is not repeated: it may repeat what we said.
            problem = f"the SMTP server refused the log-in of HOWDAH_SMTP_URL, with code {error.code}"
            return _by_code(error.code, problem)
        case SMTPResponseException():
            return _by_code(error.code, f"the SMTP server answered {_told(error.code, error.message)}")
        case TimeoutError():
            return RetryableError(f"the SMTP server: no answer within {within_seconds:.0f} s", reason="no_answer")
        case OSError():
            return RetryableError(f"the SMTP server: {describe_failure(error)}", reason="no_answer")
        case _:
            return PermanentError(f"the SMTP server cannot do what is asked of it: {error}", reason="smtp_unable")


def _refused(refused: Mapping[str, Refusal]) -> JobError:
    who = "; ".join(f"{recipient}: {_told(refusal.code, refusal.words)}" for recipient, refusal in refused.items())
    for_now = [refusal for refusal in refused.values() if refusal.for_now]
    if for_now:
        return RetryableError(
            f"nothing was sent, because the SMTP server refuses recipients for now: {who}"[:_MOST_TOLD],
            reason=f"smtp_{for_now[0].code}",
        )
    return PermanentError(f"the SMTP server refuses all recipients: {who}"[:_MOST_TOLD], reason="recipients_refused")


def _by_code(code: int, problem: str) -> JobError:
    # RFC 5321, section 4.2.1. What is no code at all is no answer that can be relied on.
    if 500 <= code <= 599:
        return PermanentError(problem, reason=f"smtp_{code}")
    return RetryableError(problem, reason=f"smtp_{code}" if code > 0 else "no_answer")


def _told(code: int, words: str) -> str:
    """Return what the server said, as one line."""
    printable = "".join(character if character.isprintable() else " " for character in words)
    return " ".join(f"{code} {printable}".split())[:_MOST_WORDS]
