"""What a client was told about TLS, made into the context that a connection needs.

The core does not import `ssl`: an adapter hands over `ssl.create_default_context`, and all of them trust alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import ssl

Path: TypeAlias = "str | os.PathLike[str]"
#: A PEM file with certificate and key; or a file for each, and the key's password.
Cert: TypeAlias = "Path | tuple[Path, Path] | tuple[Path, Path | None, str]"


@dataclass(frozen=True, slots=True)
class TLS:
    """Whom to trust, and what to show."""

    #: True for the system's trust, False for none, the path of a file of CA certificates, or a context.
    verify: bool | Path | ssl.SSLContext = True
    #: The client certificate.
    cert: Cert | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        brings_context = not isinstance(self.verify, (bool, str, os.PathLike))
        if brings_context and not hasattr(self.verify, "wrap_bio"):
            msg = f"verify: must be True, False, a file of CA certificates or an ssl.SSLContext, not {self.verify!r}"
            raise ValueError(msg)
        if self.cert is not None and brings_context:
            msg = "cert: the context given as verify brings its own; load it there"
            raise ValueError(msg)
        if isinstance(self.cert, tuple) and len(self.cert) not in {2, 3}:
            msg = "cert: must be a path, (certificate, key), or (certificate, key or None, password)"
            raise ValueError(msg)

    def context(self, create_default_context: Callable[..., ssl.SSLContext]) -> ssl.SSLContext:
        """Make the context, given `ssl.create_default_context`; one that the caller brought is used as it is.

        Raises:
            ValueError: a file cannot be read, or is not what it should be.
        """
        if not isinstance(self.verify, (bool, str, os.PathLike)):
            return self.verify
        try:
            context = create_default_context(cafile=None if isinstance(self.verify, bool) else self.verify)
        except OSError as error:
            msg = f"verify: cannot use {self.verify}: {error}"
            raise ValueError(msg) from error
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = type(context.verify_mode)(0)  # ssl.CERT_NONE
        if self.cert is not None:
            certificate, key, password = _three(self.cert)
            try:
                # A password that is missing is an error, and not a question at the terminal.
                context.load_cert_chain(certificate, key, password)
            except (OSError, ValueError) as error:
                msg = f"cert: cannot use {certificate}: {error}"
                raise ValueError(msg) from error
        return context


def _three(cert: Cert) -> tuple[Path, Path | None, str]:
    if not isinstance(cert, tuple):
        return cert, None, ""
    return (cert[0], cert[1], cert[2]) if len(cert) == 3 else (*cert, "")
