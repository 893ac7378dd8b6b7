"""Header fields of an e-mail, as lines of printable ASCII: nothing in a value can end its line or begin another.

The standard library's structured headers are not used, because they read a value anew when it is written: what looks
like an encoded word is decoded, line breaks in it included.
"""

import re
from collections.abc import Iterable
from email.header import Header
from typing import Final

from shared.jobs.builtin.read_mail_address import MailAddress

_LINE: Final = 76
_END: Final = "\r\n"
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~ -]+")  # without = and ?, so it is no encoded word


def encode_text(name: str, text: str) -> str:
    """Return `Name: text` and its line end; folded, and as encoded words (RFC 2047) where it cannot stand as it is."""
    fits = text.isascii() and "=?" not in text and max(map(len, text.split(" ")), default=0) < _LINE - len(name) - 2
    header = Header(text, "us-ascii" if fits else "utf-8", maxlinelen=_LINE, header_name=name)
    return f"{name}: {header.encode(linesep=_END)}{_END}"


def encode_addresses(name: str, addresses: Iterable[MailAddress]) -> str:
    """Return `Name: address, address` and its line end, each address on a line of its own."""
    return f"{name}: " + f",{_END} ".join(map(_encoded, addresses)) + _END


def _encoded(address: MailAddress) -> str:
    if not address.name:
        return address.address
    if _PLAIN_NAME.fullmatch(address.name):
        return f"{address.name} <{address.address}>"
    if address.name.isascii() and "=?" not in address.name:
        quoted = address.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{address.address}>'
    encoded = Header(address.name, "utf-8", maxlinelen=_LINE).encode(linesep=_END)
    return f"{encoded} <{address.address}>"
