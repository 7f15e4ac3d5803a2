"""Real nginx in front of a server, as in a deployment: TLS, a path prefix, compression, client certificates.

    with Nginx(influxd.url, certificate=(chain, key)) as proxy:
        ...  # proxy.url, which ends in /influx

`python -m tests.servers.nginx --install` only installs nginx if necessary.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.debian import unpack_program
from tests.servers.program import ServerProgram

_CONFIGURATION = """
daemon off;
master_process off;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size {max_body};
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        {client_certificates}
        location /influx/ {{
            proxy_pass {upstream}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


class Nginx(ServerProgram):
    """nginx on a free loopback port, in front of `upstream`, with a certificate chain and its key."""

    name = "nginx"

    def __init__(
        self, upstream: str, certificate: tuple[Path, Path], *, client_ca: Path | None = None, max_body: int = 1_000_000
    ) -> None:
        self._upstream = urlsplit(upstream)._replace(path="").geturl()
        self._chain, self._key = certificate
        self._client_ca = client_ca
        self._max_body = max_body

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/influx"

    def command(self, folder: Path) -> list[str | Path]:
        asked = "" if self._client_ca is None else f"ssl_client_certificate {self._client_ca}; ssl_verify_client on;"
        configuration = folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=folder,
                port=self.port,
                chain=self._chain,
                key=self._key,
                client_certificates=asked,
                upstream=self._upstream,
                max_body=self._max_body,
            )
        )
        return [find_nginx(), "-p", folder, "-c", configuration, "-e", "stderr"]


def find_nginx() -> Path:
    """Return nginx from PATH or the system's folders, or from Debian's package in `.cache`."""
    installed = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    return Path(installed) if installed else unpack_program("nginx", "usr/sbin/nginx")


if __name__ == "__main__":
    if sys.argv[1:] != ["--install"]:
        raise SystemExit(__doc__)
    print(f"nginx: {find_nginx()}")  # noqa: T201 -- a program, here
