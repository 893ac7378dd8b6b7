"""Reading the address of a person: `ada@example.org`, or `Ada Lovelace <ada@example.org>`.

Less than RFC 5322 allows, and nothing that could be read in two ways: no comments, no groups, no quoted local parts.
"""

import re
from typing import Final

import msgspec

# RFC 5322's atom: neither specials nor spaces; with RFC 6531 anything else beyond ASCII.
_ATOM: Final = r"""[^\s\x00-\x20\x7f"(),.:;<>@\[\\\]]+"""
_LOCAL: Final = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_WITH_NAME: Final = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
# What ends a line somewhere, and what is never written.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MOST_NAME: Final = 200
_MOST_LOCAL: Final = 64
_MOST_ADDRESS: Final = 254


class MailAddress(msgspec.Struct, frozen=True):
    """Somebody's address."""

    local: str
    # In ASCII.
    domain: str
    name: str = ""

    @property
    def address(self) -> str:
        """The bare address."""
        return f"{self.local}@{self.domain}"


def check_line(text: str) -> None:
    """Raise `ValueError` unless the text can stand in one line."""
    if _CONTROL.search(text):
        raise ValueError("there are line breaks or control characters in it")


def read_mail_address(text: str) -> MailAddress:
    """Read one address.

    Raises `ValueError`, whose message says why it is none.
    """
    check_line(text)
    named = _WITH_NAME.fullmatch(text.strip())
    name, address = (named["name"].strip(), named["address"]) if named else ("", text.strip())
    if name[:1] == name[-1:] == '"' and len(name) > 1:
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    local, at, domain = address.rpartition("@")
    if not at:
        raise ValueError("it has no @")
    if _LOCAL.fullmatch(local) is None or len(local.encode()) > _MOST_LOCAL:
        raise ValueError("what stands before the @ is no plain local part; give one address for each entry")
    try:
        ascii_domain = domain.encode("ascii" if domain.isascii() else "idna").decode()
    except UnicodeError:
        ascii_domain = ""
    if _DOMAIN.fullmatch(ascii_domain) is None or len(local.encode()) + len(ascii_domain) >= _MOST_ADDRESS:
        raise ValueError("what stands after the @ is no domain; give one address for each entry")
    if len(name) > _MOST_NAME:
        raise ValueError(f"the name has more than {_MOST_NAME} characters")
    return MailAddress(local, ascii_domain, name)
