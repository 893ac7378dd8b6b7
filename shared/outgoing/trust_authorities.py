"""Whom to trust with TLS: the system's certificate authorities."""

import ssl
from functools import cache
from pathlib import Path
from typing import cast


@cache
def trust_authorities() -> ssl.SSLContext:
    """Return the one context for all requests: certificates and host names are checked, TLS 1.2 or newer.

    OpenSSL's `SSL_CERT_FILE` and `SSL_CERT_DIR` name other authorities. On a system without any, those that
    the package `certifi` carries are taken.
    """
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    # The stub does not know that both are None where the system has no such file or folder.
    file, folder = cast("str | None", paths.cafile), cast("str | None", paths.capath)
    if file is None and (folder is None or not any(Path(folder).iterdir())):
        import certifi  # noqa: PLC0415 - rarely needed

        context.load_verify_locations(certifi.where())
    return context
