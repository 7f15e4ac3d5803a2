"""TLS settings of a client, and the `ssl.SSLContext` they describe.

The core does not import `ssl`: adapters pass `ssl.create_default_context`, so all of them verify certificates alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import ssl

    from .._errors import TransportError

Path: TypeAlias = "str | os.PathLike[str]"
#: A PEM file with certificate and key; or a file for each, and optionally the password of the key.
Cert: TypeAlias = "Path | tuple[Path, Path] | tuple[Path, Path | None, str]"


@dataclass(frozen=True, slots=True)
class TLS:
    """Certificate verification and the client certificate."""

    #: True for the system trust store, False for no verification, the path of a file of CA certificates, or a context.
    verify: bool | Path | ssl.SSLContext = True
    #: The client certificate.
    cert: Cert | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        has_context = not isinstance(self.verify, (bool, str, os.PathLike))
        if has_context and not hasattr(self.verify, "wrap_bio"):
            msg = f"verify: must be True, False, a file of CA certificates or an ssl.SSLContext, not {self.verify!r}"
            raise TypeError(msg)
        if self.cert is not None and has_context:
            msg = "cert: cannot be combined with an ssl.SSLContext as verify; call load_cert_chain() of the context"
            raise ValueError(msg)
        if isinstance(self.cert, tuple) and len(self.cert) not in {2, 3}:
            raise ValueError("cert: must be a path, (certificate, key), or (certificate, key or None, password)")

    def context(self, create_default_context: Callable[..., ssl.SSLContext]) -> ssl.SSLContext:
        """Return the context for connections; a context passed as `verify` is returned unchanged.

        Args:
            create_default_context: `ssl.create_default_context`.

        Raises:
            ValueError: a file cannot be read, or does not contain certificates or a key.
        """
        if not isinstance(self.verify, (bool, str, os.PathLike)):
            return self.verify
        try:
            context = create_default_context(cafile=None if isinstance(self.verify, bool) else self.verify)
        except OSError as error:
            raise ValueError(f"verify: cannot use {self.verify}: {error}") from error
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = type(context.verify_mode)(0)  # ssl.CERT_NONE
        if self.cert is not None:
            certificate, key, password = _cert_parts(self.cert)
            try:
                # Without a password `ssl` would prompt at the terminal; an empty one raises.
                context.load_cert_chain(certificate, key, password)
            except (OSError, ValueError) as error:
                raise ValueError(f"cert: cannot use {certificate}: {error}") from error
        return context


def _cert_parts(cert: Cert) -> tuple[Path, Path | None, str]:
    """Return certificate, key and password."""
    if not isinstance(cert, tuple):
        return cert, None, ""
    return (cert[0], cert[1], cert[2]) if len(cert) == 3 else (*cert, "")


#: What to do about failures of TLS, by the reason that OpenSSL reports.
_ADVICE = {
    "WRONG_VERSION_NUMBER": "the server does not use TLS on this port; pass ssl=False or an http:// URL",
    "ALERT_CERTIFICATE_REQUIRED": "the server requires a client certificate; pass cert=",
}


def tls_advice(error: TransportError) -> str | None:
    """Return what to do about a failure of TLS, or None if that is unknown."""
    message = str(error)
    return next((advice for reason, advice in _ADVICE.items() if reason in message), None)
