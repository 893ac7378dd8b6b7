"""A message says what the payload says, and no text in the payload becomes a header, a recipient or a command."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs import PermanentError
from shared.jobs.builtin.compose_email import Envelope, compose_email
from shared.jobs.builtin.read_mail_address import MailAddress, read_mail_address
from shared.jobs.builtin.send_email import Attachment, SendEmail

SENDER = MailAddress("ci", "example.org", "Howdah")
JOB = UUID("01930000-0000-7000-8000-000000000001")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def compose(payload: SendEmail) -> Envelope:
    return compose_email(payload, sender=SENDER, job_id=JOB, now=NOW)


def read(envelope: Envelope) -> EmailMessage:
    message = email.message_from_bytes(envelope.message, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def test_a_message_says_what_the_payload_says() -> None:
    envelope = compose(
        SendEmail(
            subject="Grüße aus dem Dorf",
            to=["Ada Lovelace <ada@example.org>", '"Doe, John" <john@example.org>'],
            cc=["Zoë <zoe@bücher.example>"],
            bcc=["hidden@example.org", "ada@example.org"],
            reply_to=["team@example.org"],
            text="Hello ✓",
            html="<p>Hello</p>",
            attachments=[Attachment("bücher.pdf", b"\x00%PDF", "application/pdf")],
        )
    )
    assert envelope.sender == "ci@example.org"
    assert envelope.recipients == [
        "ada@example.org",
        "john@example.org",
        "zoe@xn--bcher-kva.example",
        "hidden@example.org",
    ]
    message = read(envelope)
    assert message["From"] == "Howdah <ci@example.org>"
    assert message["To"] == 'Ada Lovelace <ada@example.org>, "Doe, John" <john@example.org>'
    assert message["Cc"] == "Zoë <zoe@xn--bcher-kva.example>"
    assert message["Reply-To"] == "team@example.org"
    assert message["Subject"] == "Grüße aus dem Dorf"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert b"hidden" not in envelope.message
    assert envelope.message.isascii()
    body, html = message.get_body(("plain",)), message.get_body(("html",))
    assert body is not None
    assert html is not None
    assert body.get_content() == "Hello ✓\r\n"
    assert html.get_content() == "<p>Hello</p>\r\n"
    [attachment] = message.iter_attachments()
    assert attachment.get_filename() == "bücher.pdf"
    assert attachment.get_content_type() == "application/pdf"
    assert attachment.get_content() == b"\x00%PDF"


def test_the_message_id_is_the_jobs_at_every_attempt() -> None:
    payload = SendEmail("Hello", to=["a@example.org"], text="x")
    assert compose(payload).message_id == compose(payload).message_id == f"<{JOB}@example.org>"
    assert read(compose(payload))["Message-ID"] == f"<{JOB}@example.org>"


def test_hidden_recipients_alone_are_told_to_nobody() -> None:
    envelope = compose(SendEmail("Hello", bcc=["a@example.org"], text="x"))
    assert read(envelope)["To"] == "undisclosed-recipients:;"
    assert b"a@example.org" not in envelope.message


@pytest.mark.parametrize("number", [0, 101])
def test_the_number_of_recipients_is_bounded(number: int) -> None:
    half = [f"a{place}@example.org" for place in range(number)]
    with pytest.raises(PermanentError, match="1 to 100 recipients"):
        compose(SendEmail("Hello", to=half[:60], bcc=half[60:], text="x"))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (SendEmail("a\r\nBcc: x@example.org", to=["a@b.org"]), "subject: there are line breaks"),
        (SendEmail("a\u2028b", to=["a@b.org"]), "subject: there are line breaks"),
        (SendEmail("a\0", to=["a@b.org"]), "subject: there are line breaks or control characters"),
        (SendEmail("a", to=["a@b.org", "b@b.org\r\nRCPT TO:<x>"]), r"to\[1\]: there are line breaks"),
        (SendEmail("a", cc=["a@b.org, b@b.org"]), r"cc\[0\]: .*one address for each entry"),
        (SendEmail("a", bcc=["nobody"]), r"bcc\[0\]: it has no @"),
        (SendEmail("a", to=["a@b.org"], reply_to=["a@"]), r"reply_to\[0\]: what stands after the @"),
        (
            SendEmail("a", to=["a@b.org"], attachments=[Attachment("a\nb", b"")]),
            r"attachments\[0\].filename: there are line breaks",
        ),
        (
            SendEmail("a", to=["a@b.org"], attachments=[Attachment("../x", b"")]),
            r"attachments\[0\].filename: a file name has no slashes",
        ),
        (
            SendEmail("a", to=["a@b.org"], attachments=[Attachment("x", b"", "text/plain\r\nX: y")]),
            r"attachments\[0\].content_type",
        ),
        (
            SendEmail("a", to=["a@b.org"], attachments=[Attachment("x", b"", "multipart/mixed")]),
            r"attachments\[0\].content_type",
        ),
    ],
)
def test_what_would_end_a_line_is_refused_and_named(payload: SendEmail, message: str) -> None:
    with pytest.raises(PermanentError, match=message) as caught:
        compose(payload)
    assert caught.value.reason == "invalid_payload"


USUAL = {"Date", "Message-ID", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"}
# What decoders take for line breaks, also when it comes in disguise.
PIECES = st.sampled_from(["=?utf-8?q?=0D=0ABcc:_x=40y.org?=", "=?utf-8?b?DQpCY2M6IHg=?=", "\n", "\r", "=?", "?=", "  "])
HOSTILE = st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join)


@given(subject=HOSTILE, name=HOSTILE, text=HOSTILE)
def test_no_text_becomes_a_header(subject: str, name: str, text: str) -> None:
    try:
        envelope = compose(SendEmail(subject[:900], to=[f"{name[:150]} <a@b.org>"], text=f"x{text}", html="<p>"))
    except PermanentError:
        return
    head = envelope.message.split(b"\r\n\r\n")[0]
    assert {line.split(b":")[0].decode() for line in head.split(b"\r\n") if not line.startswith(b" ")} == USUAL
    assert head.isascii()
    assert b"\r" not in head.replace(b"\r\n", b"")
    assert max(map(len, envelope.message.split(b"\r\n"))) <= 998
    assert envelope.recipients == ["a@b.org"]
    assert [address.addr_spec for address in read(envelope)["To"].addresses] == ["a@b.org"]


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=300))
def test_a_subject_arrives_as_it_was(subject: str) -> None:
    arrived = read(compose(SendEmail(subject, to=["a@b.org"], text="x")))["Subject"]
    assert " ".join(str(arrived).split()) == " ".join(subject.split())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a@b.org", MailAddress("a", "b.org")),
        (" <a@b.org> ", MailAddress("a", "b.org")),
        ("Ada <a+b.c@b-c.org>", MailAddress("a+b.c", "b-c.org", "Ada")),
        ('"A \\"B\\" C" <a@b.org>', MailAddress("a", "b.org", 'A "B" C')),
        ("a@localhost", MailAddress("a", "localhost")),
        ("用户@例え.jp", MailAddress("用户", "xn--r8jz45g.jp")),
    ],
)
def test_plain_addresses_are_read(text: str, address: MailAddress) -> None:
    assert read_mail_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "@b", "a@", "a@@b", "a@b@c", "a b@c.org", '"a b"@c.org', "a@b..c", "a..b@c.org", ".a@c.org",
        "a@-b.org", "a@b c.org", "a@[127.0.0.1]", "a@b.org, c@d.org", "a@b.org;c@d.org", "grp: a@b.org;",
        "x <a@b.org> y", "<a@b.org", "a@b.org>", "a(x)@b.org", "a@b.org(x)", "a\\@b.org", "a\u2003b@c.org",
        "a" * 65 + "@b.org", "a@" + "b" * 64 + ".org", "a@" + "b." * 130 + "org", "n" * 201 + " <a@b.org>",
        "a@b.org\x7f", "a@b.org\ud800",
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        read_mail_address(text)


def test_an_attachment_is_base64_in_the_payload() -> None:
    raw = b'{"subject": "a", "attachments": [{"filename": "a", "content": "aGVsbG8="}]}'
    assert msgspec.json.decode(raw, type=SendEmail).attachments[0].content == b"hello"
    with pytest.raises(msgspec.ValidationError, match=r"\$\.attachments\[0\]\.content"):
        msgspec.json.decode(raw.replace(b"aGVsbG8=", b"aGVsbG8"), type=SendEmail)
