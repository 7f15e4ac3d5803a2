"""TLS, against a real InfluxDB and a real nginx, with test certificates."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from influx_proto import AuthenticationError, PayloadTooLarge, RetryPolicy, Timeout, TransportError

from tests.conformance.drivers import Driver
from tests.servers.influxd import Influxd, Server
from tests.servers.nginx import Nginx
from tests.servers.scripted import Close, ScriptedServer

ONCE = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class Files:
    """Certificate files of a deployment."""

    ca: Path
    server: tuple[Path, Path]
    other: tuple[Path, Path]  # for another host
    client: Path  # certificate and key in one file
    client_certificate: Path
    client_key: Path
    locked_key: Path  # the same key, encrypted with the password "öpen"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, hosts in (("server", ("localhost", "127.0.0.1")), ("other", ("db.example",)), ("client", ("me",))):
        issued = authority.issue_cert(*hosts)
        issued.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        for blob in issued.cert_chain_pems:
            blob.write_to_path(folder / f"{name}.crt", append=True)
    key = load_pem_private_key((folder / "client.key").read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption("öpen".encode()))
    (folder / "locked.key").write_bytes(locked)
    return Files(
        ca=folder / "ca.pem",
        server=(folder / "server.crt", folder / "server.key"),
        other=(folder / "other.crt", folder / "other.key"),
        client=folder / "client.pem",
        client_certificate=folder / "client.crt",
        client_key=folder / "client.key",
        locked_key=folder / "locked.key",
    )


@pytest.fixture(scope="module")
def secure(files: Files) -> Iterator[Server]:
    with Influxd(https=files.server) as server:
        yield server


@pytest.fixture(scope="module")
def behind_nginx(files: Files, influxd: Server) -> Iterator[Nginx]:
    with Nginx(influxd.url, files.server) as proxy:
        yield proxy


def use(client: Any) -> None:
    """Write, read and stream over a client."""
    assert client.ping().version
    client.create_database("db")
    assert client.write([f"m v={n}i {n}" for n in range(500)], db="db") is True
    with client.query_points("SELECT v FROM m", db="db", chunk_size=100) as points:
        assert [point["v"] for point in points] == list(range(500))
    client.drop_database("db")


def test_custom_ca(connect: Callable[..., Any], secure: Server, files: Files) -> None:
    use(connect(secure.url, verify=files.ca))
    use(connect(secure.url, verify=str(files.ca)))


def test_system_cas_reject_it(connect: Callable[..., Any], secure: Server) -> None:
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+.*CERTIFICATE_VERIFY_FAILED") as caught:
        connect(secure.url, retry=ONCE).ping()
    assert caught.value.maybe_received is False


def test_system_cas_are_trusted(
    connect: Callable[..., Any], secure: Server, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL determines the system trust store, and its environment variables can redirect it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
    use(connect(secure.url))


def test_custom_ca_replaces_the_system_cas(
    connect: Callable[..., Any], secure: Server, files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(files.ca))
    with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(secure.url, verify=tmp_path / "other.pem", retry=ONCE).ping()


def test_custom_ssl_context(connect: Callable[..., Any], secure: Server, files: Files) -> None:
    context = ssl.create_default_context(cafile=files.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    use(connect(secure.url, verify=context))


def test_disabling_verification_warns(connect: Callable[..., Any], secure: Server, driver: Driver) -> None:
    with pytest.warns(UserWarning, match="verify=False"):
        client = connect(secure.url, verify=False)
    with warnings.catch_warnings(action="error"):  # the warning is emitted once
        use(client)


def test_no_warning_without_tls(driver: Driver) -> None:
    driver.client_class(verify=False)


def test_certificate_for_another_host(connect: Callable[..., Any], files: Files) -> None:
    with Influxd(https=files.other) as server:
        with pytest.raises(TransportError, match=r"(?i)certificate.*(mismatch|not valid|doesn't match)"):
            connect(server.url, verify=files.ca, retry=ONCE).ping()


def test_tls_with_a_plain_http_server(connect: Callable[..., Any], influxd: Server) -> None:
    with pytest.raises(TransportError) as caught:
        connect(influxd.url.replace("http:", "https:"), retry=ONCE).ping()
    assert caught.value.maybe_received is False
    assert "pass ssl=False or an http:// URL" in caught.value.__notes__[0]


def test_failed_handshake_has_a_reason(connect: Callable[..., Any]) -> None:
    with ScriptedServer([[Close()]]) as server:
        with pytest.raises(TransportError, match=rf"127\.0\.0\.1:{server.port}( failed)?: \S") as caught:
            connect(server.url.replace("http:", "https:"), retry=ONCE).ping()
        assert caught.value.maybe_received is False


@pytest.mark.needs("early_answer")
def test_early_response_over_tls(connect: Callable[..., Any], files: Files) -> None:
    """The server rejects an upload and does not read the rest of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files.server)
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:

        def reject() -> None:
            with context.wrap_socket(listening.accept()[0], server_side=True) as secured:
                secured.recv(1024)
                secured.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
                secured.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nhello")
                ended.wait(30)

        ended = threading.Event()
        pool.submit(reject)
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        client = connect(url, verify=files.ca, gzip=False, retry=ONCE, timeout=Timeout(idle=20))
        try:
            with pytest.raises(AuthenticationError, match="hello"):
                client.write(f'm s="{"x" * 8_000_000}" 1', db="db", max_bytes=None)
        finally:
            ended.set()


def test_plain_http_with_a_tls_server(connect: Callable[..., Any], secure: Server) -> None:
    """Old InfluxDB versions close the connection, newer ones respond with a plain-text 400."""
    with pytest.raises(Exception, match=r"400|127\.0\.0\.1:\d+"):
        connect(secure.url.replace("https:", "http:"), retry=ONCE).ping()


@pytest.mark.parametrize(
    "record",
    [b"\x17\x03\x03\x00\x20" + b"x" * 32, b"\x15\x03\x03\x00\x02\x02\x50", b"HTTP/1.1 502 Bad Gateway\r\n\r\n"],
    ids=["malformed record", "unencrypted alert", "plain HTTP"],
)
def test_tls_that_fails_after_the_request(connect: Callable[..., Any], files: Files, record: bytes) -> None:
    """The server may have stored the points, so those without a timestamp are not sent again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files.server)
    received: list[bytes] = []

    def respond(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                with context.wrap_socket(listening.accept()[0], server_side=True) as secured:
                    received.append(secured.recv(65536))
                    with socket.socket(fileno=os.dup(secured.fileno())) as plain:
                        plain.sendall(record)

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:
        pool.submit(respond, listening)
        try:
            client = connect(f"https://127.0.0.1:{listening.getsockname()[1]}", verify=files.ca)
            with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+") as caught:
                client.write("m v=1", db="db")
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        assert caught.value.maybe_received is True
    assert len(received) == 1


@pytest.mark.needs("open_to_all")
def test_behind_nginx(connect: Callable[..., Any], behind_nginx: Nginx, files: Files) -> None:
    client = connect(behind_nginx.url, verify=files.ca)
    assert client.settings.server.path == "/influx"
    use(client)


@pytest.mark.needs("open_to_all")
def test_compression_behind_nginx(connect: Callable[..., Any], behind_nginx: Nginx, files: Files) -> None:
    """nginx compresses all eligible content types."""
    use(connect(behind_nginx.url, verify=files.ca, gzip=True))


def test_body_rejected_by_nginx(connect: Callable[..., Any], behind_nginx: Nginx, files: Files) -> None:
    """nginx responds in HTML before it has read the whole body."""
    client = connect(behind_nginx.url, verify=files.ca, database="db")
    for size in (1_100_000, 20_000_000):
        with pytest.raises(PayloadTooLarge, match="Request Entity Too Large"):
            client.write(f'm s="{"x" * size}" 1')
    assert client.ping().version


def test_client_certificates(connect: Callable[..., Any], influxd: Server, files: Files) -> None:
    with Nginx(influxd.url, files.server, client_ca=files.ca) as proxy:
        for cert in (
            files.client,
            str(files.client),
            (files.client_certificate, files.client_key),
            (files.client_certificate, files.locked_key, "öpen"),
            (files.client, None, ""),
        ):
            assert connect(proxy.url, verify=files.ca, cert=cert).ping().version
        with pytest.raises(Exception, match=r"400|127\.0\.0\.1:\d+"):
            connect(proxy.url, verify=files.ca, retry=ONCE).query("SHOW DATABASES")


def test_mismatched_certificate_files(driver: Driver, files: Files, tmp_path: Path) -> None:
    certificate, key = files.client_certificate, files.locked_key
    for wrong in (
        {"verify": tmp_path / "missing.pem"},
        {"verify": files.client_key},
        {"cert": tmp_path / "missing.pem"},
        {"cert": certificate},
        {"cert": (certificate, key)},
        {"cert": (certificate, key, "wrong")},
        {"cert": (certificate,)},
        {"cert": files.client, "verify": ssl.create_default_context()},
    ):
        with pytest.raises(ValueError, match=rf"^{next(iter(wrong))}: ") as caught:
            driver.client_class(ssl=True, **wrong)
        assert "wrong" not in str(caught.value)


def test_tls_options_are_rejected_with_a_callers_session(driver: Driver, files: Files) -> None:
    for setting in ({"verify": files.ca}, {"cert": files.client}, {"proxy": "http://p"}, {"unix_socket": "/s"}):
        with contextlib.suppress(TypeError), pytest.raises(ValueError, match=r"^session: "):
            driver.client_class(session=object(), **setting)
