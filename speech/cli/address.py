"""Validation of server addresses that users type, before any connection is opened."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from speech.errors import ConfigError, SpeechError

_SHOWN = 200
_PLACE = re.compile(r"([^@]*@)?(\[[^\[\]]+\]|[^\[\]:@]+)(:\d*)?")


def parse_address(text: str, schemes: Sequence[str], example: str) -> SplitResult:
    """Parse an address that has a host, an optional port and no fragment.

    Raises:
        ConfigError: if the address is invalid or has another scheme.
    """

    def wrong(what: str) -> ConfigError:
        return ConfigError(f"{text[:_SHOWN]!r} is not the address of a server: {what}", fix=f"E.g. {example}.")

    if any(character.isspace() or not character.isprintable() for character in text):
        raise wrong("it has blanks or control characters")
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        host.encode("idna")
        port = parts.port
    except UnicodeError:
        raise wrong("its host is no name") from None
    except ValueError as error:
        raise wrong(str(error).lower()) from None
    if parts.scheme not in schemes:
        raise wrong(f"it begins with {parts.scheme or 'no scheme'!r}, expected {' or '.join(schemes)}")
    if not host or _PLACE.fullmatch(parts.netloc) is None:
        raise wrong("it has no host" if not host else "its host is no name")
    if port == 0:
        raise wrong("port 0 is none")
    if parts.fragment:
        raise wrong("it has a fragment (#)")
    return parts


def unreachable(error: Exception, where: str) -> SpeechError:
    """Convert a connection or TLS error to a message for the user."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, Exception):  # urllib wraps the original error
        error = reason
    if isinstance(error, ssl.SSLCertVerificationError):
        fix = "Have its certificate signed by somebody that this machine trusts (SSL_CERT_FILE)."
        return SpeechError(f"its certificate is not trusted: {error.verify_message}", where=where, fix=fix)
    if isinstance(error, ssl.SSLError):
        text = str(error.reason or error).lower().replace("_", " ")
        return SpeechError(
            f"does not use TLS: {text}", where=where, fix="Use http:// or ws:// for a server without a certificate."
        )
    number = getattr(error, "errno", None) or 0  # use the system's text: asyncio has its own
    said = os.strerror(number) if number > 0 else str(getattr(error, "strerror", None) or error).strip()
    text = (said or type(error).__name__).splitlines()[0].lower()
    return SpeechError(f"cannot be reached: {text}", where=where, fix="Is it running?")
