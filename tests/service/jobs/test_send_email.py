"""`send_email` hands a message in once, and says what the server's words mean for the job."""

from uuid import UUID

import anyio
import pytest
from cryptography import x509

from shared.jobs import JobContext, JobError, PermanentError, RetryableError
from shared.jobs.builtin.hand_in_email import hand_in_email
from shared.jobs.builtin.send_email import Attachment, SendEmail, Sent, send_email
from shared.jobs.job_context import GivenDetails
from tests.service.jobs.mail_server import USER, MailServer, run_mail_server, run_rude_server
from tests.service.outgoing.authority import Authority

JOB = UUID("01930000-0000-7000-8000-000000000001")
HELLO = SendEmail("Hello", to=["ada@example.org"], text="How are you?")
LOGIN = f"{USER}:s3cret%20p%40ss@"


def context(*, attempt: int = 1) -> JobContext:
    return JobContext.for_test(GivenDetails(job_id=JOB, attempt=attempt, max_attempts=3))


@pytest.fixture(autouse=True)
def _sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_SMTP_FROM", "Howdah <ci@example.org>")


async def send(
    server: MailServer, monkeypatch: pytest.MonkeyPatch, payload: SendEmail = HELLO, *, url: str = "", attempt: int = 1
) -> Sent | JobError:
    """Return what came of it: raised within the server's block, it would be wrapped by the server's tasks."""
    monkeypatch.setenv("HOWDAH_SMTP_URL", url or server.url())
    try:
        return await send_email(payload, context(attempt=attempt))
    except JobError as error:
        return error


async def test_a_message_arrives_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = SendEmail(
        "Grüße",
        to=["Ada <ada@example.org>"],
        cc=["bob@example.org"],
        bcc=["eve@example.org"],
        text="One\n.\n..two\nthree\r\n.\r\nMAIL FROM:<evil@example.org>\r\n",
        html="<p>✓</p>",
        attachments=[Attachment("a.bin", bytes(range(256)))],
    )
    async with run_mail_server() as server:
        sent = await send(server, monkeypatch, payload)
    assert sent == Sent(
        f"<{JOB}@example.org>", accepted=["ada@example.org", "bob@example.org", "eve@example.org"], refused={}
    )
    [taken] = server.taken
    assert (taken.sender, taken.recipients) == (
        "ci@example.org",
        ["ada@example.org", "bob@example.org", "eve@example.org"],
    )
    message = taken.read()
    assert (message["From"], message["To"], message["Cc"]) == (
        "Howdah <ci@example.org>",
        "Ada <ada@example.org>",
        "bob@example.org",
    )
    assert message["Subject"] == "Grüße"
    assert message["Message-ID"] == f"<{JOB}@example.org>"
    assert "eve" not in taken.content.decode()
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == ["One", ".", "..two", "three", ".", "MAIL FROM:<evil@example.org>"]
    [attachment] = message.iter_attachments()
    assert attachment.get_content() == bytes(range(256))


async def test_a_repetition_has_the_same_message_id(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_mail_server() as server:
        for attempt in (1, 2):
            await send(server, monkeypatch, attempt=attempt)
    first, second = (taken.read()["Message-ID"] for taken in server.taken)
    assert first == second


async def test_some_refused_for_good_are_named_and_the_others_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = SendEmail("Hello", to=["ada@example.org", "gone@example.org"], text="x")
    async with run_mail_server() as server:
        server.refused["gone@example.org"] = "550 5.1.1 nobody of that name"
        sent = await send(server, monkeypatch, payload)
    assert isinstance(sent, Sent)
    assert sent.accepted == ["ada@example.org"]
    assert sent.refused == {"gone@example.org": "550 5.1.1 nobody of that name"}
    assert [taken.recipients for taken in server.taken] == [["ada@example.org"]]


async def test_while_some_are_refused_for_now_nobody_gets_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = SendEmail("Hello", to=["ada@example.org", "slow@example.org"], text="x")
    async with run_mail_server() as server:
        server.refused["slow@example.org"] = "451 4.7.1 greylisted"
        early = await send(server, monkeypatch, payload, attempt=1)
        assert isinstance(early, RetryableError)
        assert "nothing was sent" in str(early)
        assert "slow@example.org: 451 4.7.1 greylisted" in str(early)
        assert server.taken == []
        last = await send(server, monkeypatch, payload, attempt=3)
    assert isinstance(last, Sent)
    assert (last.accepted, last.refused) == (["ada@example.org"], {"slow@example.org": "451 4.7.1 greylisted"})
    assert [taken.recipients for taken in server.taken] == [["ada@example.org"]]


async def test_all_refused_is_an_error_that_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_mail_server() as server:
        server.refused["ada@example.org"] = "550 no such user"
        for_good = await send(server, monkeypatch)
        server.refused["ada@example.org"] = "450 mailbox busy"
        for_now = await send(server, monkeypatch, attempt=3)
    assert isinstance(for_good, PermanentError)
    assert "refuses all recipients: ada@example.org: 550 no such user" in str(for_good)
    assert isinstance(for_now, RetryableError)
    assert server.taken == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("451 4.3.0 try later", RetryableError),
        ("452 4.2.2 disk full", RetryableError),
        ("550 5.7.1 spam", PermanentError),
        ("552 5.3.4 too big", PermanentError),
        ("554 5.6.0 no", PermanentError),
    ],
)
async def test_four_hundreds_are_tried_again_and_five_hundreds_are_not(
    monkeypatch: pytest.MonkeyPatch, answer: str, kind: type[JobError]
) -> None:
    async with run_mail_server() as server:
        server.answer_to_message = answer
        to_message = await send(server, monkeypatch)
        server.answer_to_message, server.answer_to_sender = "250 OK", answer
        to_sender = await send(server, monkeypatch)
    for outcome in (to_message, to_sender):
        assert type(outcome) is kind
        assert str(outcome) == f"the SMTP server answered {answer}"
        assert outcome.reason == f"smtp_{answer[:3]}"
    assert server.taken == []


async def test_starttls_and_a_log_in(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    certificate = authority.server_context(x509.DNSName("localhost"))
    async with run_mail_server(starttls=certificate, needs_log_in=True) as server:
        sent = await send(server, monkeypatch, url=server.url("helo=ci.example.org", login=LOGIN))
    assert isinstance(sent, Sent)
    assert server.encrypted
    assert server.log_ins == [True]
    assert server.greeted_as == "ci.example.org"


async def test_tls_from_the_start(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
    certificate = authority.server_context(x509.DNSName("localhost"))
    async with run_mail_server(tls=certificate, needs_log_in=True) as server:
        sent = await send(server, monkeypatch, url=server.url("", scheme="smtps", login=LOGIN))
    assert isinstance(sent, Sent)
    assert server.log_ins == [True]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_for_another_name_gets_neither_password_nor_message(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, scheme: str
) -> None:
    wrong = authority.server_context(x509.DNSName("elsewhere.example.org"))
    starttls, tls = (wrong, None) if scheme == "smtp" else (None, wrong)
    async with run_mail_server(starttls=starttls, tls=tls, needs_log_in=True) as server:
        outcome = await send(server, monkeypatch, url=server.url("", scheme=scheme, login=LOGIN))
    assert isinstance(outcome, RetryableError)
    assert "TLS: Hostname mismatch" in str(outcome)
    assert (server.log_ins, server.taken) == ([], [])


async def test_a_server_without_starttls_gets_neither_password_nor_message(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_mail_server(needs_log_in=True) as server:
        outcome = await send(server, monkeypatch, url=server.url("", login=LOGIN))
    assert isinstance(outcome, PermanentError)
    assert "it offers no STARTTLS" in str(outcome)
    assert (server.log_ins, server.taken) == ([], [])


async def test_encryption_that_is_optional_is_used_where_it_is_offered(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    async with run_mail_server() as server:
        assert isinstance(await send(server, monkeypatch, url=server.url("starttls=optional")), Sent)
        assert not server.encrypted
    async with run_mail_server(starttls=authority.server_context(x509.DNSName("localhost"))) as server:
        assert isinstance(await send(server, monkeypatch, url=server.url("starttls=optional")), Sent)
        assert server.encrypted


async def test_a_refused_log_in_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_mail_server(needs_log_in=True) as server:
        outcome = await send(server, monkeypatch, url=server.url(login=f"{USER}:wr0ng@"))
    assert isinstance(outcome, PermanentError)
    assert str(outcome) == "the SMTP server refused the log-in of HOWDAH_SMTP_URL, with code 535"
    assert not any(server.log_ins)


async def test_an_address_beyond_ascii_needs_a_server_that_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = SendEmail("Hello", to=["用户@例え.jp"], text="x")
    async with run_mail_server() as server:
        sent = await send(server, monkeypatch, payload)
    assert isinstance(sent, Sent)
    assert server.taken[0].recipients == ["用户@xn--r8jz45g.jp"]
    assert "SMTPUTF8" in server.taken[0].options
    async with run_mail_server(knows_utf8=False) as server:
        outcome = await send(server, monkeypatch, payload)
    assert isinstance(outcome, PermanentError)
    assert "it knows no addresses beyond ASCII" in str(outcome)


@pytest.mark.parametrize(
    ("url", "sender", "message"),
    [
        ("", "ci@example.org", "e-mail is not set up: HOWDAH_SMTP_URL is not set"),
        ("smtps://mail.example.org", "", "e-mail is not set up: HOWDAH_SMTP_FROM is not set"),
        ("smtps://mail.example.org", "nobody", "HOWDAH_SMTP_FROM: it has no @"),
        ("http://u:secret@x", "ci@example.org", "HOWDAH_SMTP_URL: it must be like smtp://"),
    ],
)
async def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, url: str, sender: str, message: str) -> None:
    monkeypatch.setenv("HOWDAH_SMTP_URL", url)
    monkeypatch.setenv("HOWDAH_SMTP_FROM", sender)
    with pytest.raises(PermanentError, match=message) as caught:
        await send_email(HELLO, context())
    assert caught.value.reason == "bad_settings"
    assert "secret" not in str(caught.value)


async def test_the_password_can_lie_in_a_file_that_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    file = anyio.Path(str(tmp_path)) / "url"
    monkeypatch.setenv("HOWDAH_SMTP_URL_FILE", str(file))
    for _ in range(2):
        async with run_mail_server() as server:
            await file.write_text(server.url() + "\n")
            await send_email(HELLO, context())
        assert len(server.taken) == 1


async def test_nobody_there_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_rude_server() as server:
        url = server.url()
    monkeypatch.setenv("HOWDAH_SMTP_URL", url)
    with pytest.raises(RetryableError, match="the SMTP server: no connection: Connection refused"):
        await send_email(HELLO, context())
    monkeypatch.setenv("HOWDAH_SMTP_URL", "smtp://nowhere.invalid")
    with pytest.raises(RetryableError, match="the name cannot be looked up"):
        await send_email(HELLO, context())


EHLO = b"250 OK\r\n"


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([b"421 busy\r\n"], id="too busy to greet"),
        pytest.param([b"SSH-2.0-OpenSSH_9.9\r\n"], id="not SMTP"),
        pytest.param([b"220 hello\r\n"], id="hangs up after EHLO"),
        pytest.param([b"220 hello\r\n", EHLO, b"250 OK\r\n", b"421 4.3.2 closing\r\n"], id="closes amid recipients"),
        pytest.param([b"220 hello\r\n", EHLO, b"250 OK\r\n", b"250 OK\r\n"], id="hangs up at DATA"),
        pytest.param([b"220 hello\r\n", EHLO, b"x" * 100_000 + b"\r\n"], id="talks too much"),
        pytest.param([b"220 hello\r\n", EHLO, b"999 what\r\n"], id="says no code that there is"),
    ],
)
async def test_a_server_without_manners_is_tried_again(monkeypatch: pytest.MonkeyPatch, answers: list[bytes]) -> None:
    async with run_rude_server(*answers) as server:
        monkeypatch.setenv("HOWDAH_SMTP_URL", server.url())
        outcome: Sent | JobError
        try:
            outcome = await send_email(HELLO, context())
        except JobError as error:
            outcome = error
    assert isinstance(outcome, RetryableError)


async def test_what_a_server_says_is_told_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_rude_server(
        b"220 hello\r\n", EHLO, b"550-one\x1b[31m\r\n550 two\x07" + b"!" * 400 + b"\r\n"
    ) as server:
        monkeypatch.setenv("HOWDAH_SMTP_URL", server.url())
        with anyio.fail_after(60):
            try:
                await send_email(HELLO, context())
            except PermanentError as error:
                told = str(error)
    assert told.startswith("the SMTP server answered 550 one [31m two !")
    assert len(told) < 400
    assert told.isprintable()


@pytest.mark.parametrize("answers", [[b""], [b"220 hello\r\n", b""], [b"220 hello\r\n", EHLO, b"250 OK\r\n", b""]])
async def test_a_server_that_falls_silent_is_left_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, answers: list[bytes]
) -> None:
    async with run_rude_server(*answers) as server:
        monkeypatch.setenv("HOWDAH_SMTP_URL", server.url())
        outcome = None
        try:
            await hand_in_email(HELLO, context(), within_seconds=0.2)
        except RetryableError as error:
            outcome = str(error)
    assert outcome == "the SMTP server: no answer within 0 s"


async def test_a_message_that_was_taken_is_sent_even_if_the_goodbye_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_mail_server() as server:

        async def hang_up(*_arguments: object) -> str:
            return "421 4.3.2 closing"

        server.handle_QUIT = hang_up  # type: ignore[attr-defined]
        sent = await send(server, monkeypatch)
    assert isinstance(sent, Sent)
    assert len(server.taken) == 1


async def test_a_canceled_job_hangs_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with run_rude_server(b"220 hello\r\n", EHLO, b"") as server, anyio.create_task_group() as job:
        monkeypatch.setenv("HOWDAH_SMTP_URL", server.url())
        job.start_soon(send_email, HELLO, context())
        await server.wait_for(2)
        job.cancel_scope.cancel()
        with anyio.CancelScope(shield=True), anyio.fail_after(30):
            await server.hung_up.wait()
    assert len(server.received) == 2
