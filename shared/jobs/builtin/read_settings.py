"""What the operator tells the built-in handlers: from the environment of their process, never from a payload."""

import os
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from shared.config import load_config

Settings = TypeVar("Settings", bound=Struct)


class HttpSettings(Struct, frozen=True, kw_only=True):
    """Of `http_request`."""

    # Private networks, in CIDR form, that requests may go to all the same.
    allowed_networks: list[str] = []


class MailSettings(Struct, frozen=True, kw_only=True):
    """Of `send_email`."""

    # See read_smtp_url. Holds the password.
    smtp_url: str = ""
    # Whom e-mails are from: an address, or a name and an address in angle brackets.
    smtp_from: str = ""


def read_settings(settings_type: type[Settings]) -> Settings:
    """Read them anew: a password that lies in a file may have changed.

    Raises `ConfigurationError`.
    """
    # No .env: whoever starts the process says what handlers may know.
    return load_config(settings_type, os.environ, Path(os.devnull))
