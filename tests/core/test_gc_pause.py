"""Garbage collector pause while decoding: the previous state is restored whatever happens."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from operator import methodcaller

import msgspec
import pytest
from influx_proto import Headers, ops
from influx_proto._decode.msgpack import MessagePackDocuments
from influx_proto._gc_pause import gc_paused

ROWS = [[n, n / 7] for n in range(20_000)]
RESPONSE = {"results": [{"statement_id": 0, "series": [{"name": "m", "columns": ["time", "v"], "values": ROWS}]}]}
WAITING = sys.version_info >= (3, 12)


@pytest.fixture(params=[True, False], ids=["on", "off"])
def collector(request: pytest.FixtureRequest) -> Iterator[bool]:
    was_on = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield bool(request.param)
    (gc.enable if was_on else gc.disable)()


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """Record the generations that are collected."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            found.append(info["generation"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


def test_state_is_restored(collector: bool) -> None:
    assert gc_paused(msgspec.json.decode, b"[1]") == [1]
    assert gc.isenabled() is collector


def test_state_is_restored_after_an_error(collector: bool) -> None:
    with pytest.raises(msgspec.DecodeError):
        gc_paused(msgspec.json.Decoder().decode, b"[1")
    assert gc.isenabled() is collector


@pytest.mark.skipif(WAITING, reason="from Python 3.12 on the collector waits by itself")
def test_collector_is_paused(collector: bool) -> None:
    assert gc_paused(methodcaller("__call__"), gc.isenabled) is False
    assert gc.isenabled() is collector


@pytest.mark.parametrize(
    ("encode", "content_type"), [(msgspec.msgpack.encode, "x-msgpack"), (msgspec.json.encode, "json")]
)
def test_large_documents_are_decoded_without_collections(
    collector: bool, collections: list[int], encode: object, content_type: str
) -> None:
    assert callable(encode)
    data = encode(RESPONSE) + b"\n" * (content_type == "json")
    receiver = ops.query("SELECT 1").receiver(200, Headers({"Content-Type": f"application/{content_type}"}))
    gc.collect()
    collections.clear()
    receiver.feed(data)
    result = receiver.close()
    assert result["results"][0]["series"][0]["values"] == ROWS
    assert gc.isenabled() is collector
    assert len(collections) <= 3  # a few for 20 000 lists; without the pause there would be one for every 700


def test_extension_types_are_decoded_without_a_pause(collector: bool) -> None:
    """Extension types call Python code, so the collector is not paused."""
    seen = []

    def is_on(_code: int, _data: memoryview) -> str:
        seen.append(gc.isenabled())
        return ""

    time = b"\xc7\x0c\x05" + bytes(12)
    head = b"\x81\xa7results\x91\x81\xa6series\x91\x82\xa7columns\x91\xa4time\xa6values\xdc\x03\xe8"
    data = head + (b"\x91" + time) * 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("influx_proto._decode.msgpack._DECODER", msgspec.msgpack.Decoder(ext_hook=is_on))
        decoder = MessagePackDocuments()
        [document] = decoder.feed(data) + decoder.close()
    assert len(document["results"][0]["series"][0]["values"]) == 1000
    assert set(seen) == {collector}


def test_concurrent_threads(collector: bool) -> None:
    """Neither thread sees the other's pause, and the final state is the initial one."""
    data = msgspec.json.encode(ROWS)
    seen: list[bool] = []
    failed: list[bool] = []

    def work() -> None:
        for turn in range(30):
            seen.append(gc.isenabled())
            try:
                gc_paused(msgspec.json.decode, data if turn % 2 else data[:-1])
            except msgspec.DecodeError:
                failed.append(True)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work) for _ in range(2)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert set(seen) == {collector}
    assert len(failed) == 30
    assert gc.isenabled() is collector
