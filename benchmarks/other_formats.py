"""DataFrames of JSON Lines (SQL), annotated CSV (Flux), JSON and CSV (InfluxQL), compared with other decoders.

    python -m benchmarks.other_formats [--rows 500000] [--rounds 7]

JSON Lines and annotated CSV are compared with libraries that decode the same bytes, JSON and CSV with MessagePack. The
responses are from the servers' own tests and encoders, not recorded: JSON Lines as arrow-json writes it for
InfluxDB 3, annotated CSV as csv/result.go of Flux does. The variants are interleaved, so that other load affects all of
them equally; compare the ratios.
"""

from __future__ import annotations

import argparse
import io
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import msgspec
import orjson
import pandas as pd
from influx_proto import QueryResult
from influx_proto._decode.formats import decoder_for  # noqa: PLC2701 - the same bytes, without a server
from influx_proto._result.table import Tables  # noqa: PLC2701 - see above
from influx_proto._result.to_pandas import to_frame  # noqa: PLC2701 - see above
from influxdb_client.client.flux_csv_parser import FluxCsvParser, FluxSerializationMode

from benchmarks.timing import Variant, describe_machine, describe_versions, measure_interleaved, ratio

SERIES = 100
START = datetime(2026, 1, 1)  # noqa: DTZ001 - printed with the zone of the format
#: influxdb-client parses this part of the rows, since it is slow.
PART = 10
#: The number of bytes to decode at a time, as for a response.
CHUNK = 1024 * 1024


def json_lines(rows: int) -> bytes:
    """Return rows of 2 tags, a timestamp, 2 floats, an integer and a boolean."""
    rng = random.Random(1)

    def lines() -> Iterator[str]:
        for number in range(rows):
            yield (
                f'{{"host":"h{number % SERIES:03}","region":"eu-{number % 5}",'
                f'"time":"{(START + timedelta(seconds=number)).isoformat()}","a":{rng.random()},'
                f'"b":{rng.gauss(20, 5):.2f},"n":{rng.randrange(10**6)},"ok":{"true" if number % 3 else "false"}}}\n'
            )

    return "".join(lines()).encode()


def annotated_csv(rows: int) -> bytes:
    """Return tables of one float field, one for each host."""
    rng = random.Random(1)
    head = (
        "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string\r\n"
        "#group,false,false,true,true,false,false,true,true,true\r\n"
        "#default,_result,,,,,,,,\r\n"
        ",result,table,_start,_stop,_time,_value,_field,_measurement,host\r\n"
    )

    def lines() -> Iterator[str]:
        for number in range(rows):
            table, row = divmod(number, max(rows // SERIES, 1))
            time = (START + timedelta(seconds=row)).isoformat()
            key = "2026-01-01T00:00:00Z,2026-02-01T00:00:00Z"
            yield f",,{table},{key},{time}Z,{rng.random():.17f},usage,cpu,h{table:03}\r\n"

    return (head + "".join(lines()) + "\r\n").encode()


def influxql(rows: int, missing: float = 0) -> tuple[bytes, bytes, bytes]:
    """Return the same rows of 2 floats, an integer, a boolean and a string in MessagePack, JSON and CSV.

    Args:
        rows: the number of rows.
        missing: the fraction of cells without a value.
    """
    rng = random.Random(1)
    cells = (
        (rng.random(), rng.gauss(20, 5), rng.randrange(10**6), number % 3 == 0, f"h{number % 10}")
        for number in range(rows)
    )
    values = [
        [10**18 * 16 // 10 + number * 10**9, *[None if missing > rng.random() else cell for cell in row]]
        for number, row in enumerate(cells)
    ]
    packed, text = bytearray(), bytearray()
    for begin in range(0, rows, 10_000):
        series = {"name": "m", "columns": ["time", "a", "b", "n", "ok", "s"], "values": values[begin : begin + 10_000]}
        partial_mark = {"partial": True} if begin + 10_000 < rows else {}
        document = {"results": [{"statement_id": 0, "series": [{**series, **partial_mark}], **partial_mark}]}
        packed += msgspec.msgpack.encode(document)
        text += msgspec.json.encode(document) + b"\n"
    lines = (f"m,,{','.join(map(csv_cell, row))}\n" for row in values)
    return bytes(packed), bytes(text), ("name,tags,time,a,b,n,ok,s\n" + "".join(lines)).encode()


def csv_cell(value: object) -> str:
    """Return a cell as InfluxDB prints it, except for the number of digits."""
    if value is None:
        return ""
    return f"{value:.15f}" if isinstance(value, float) else str(value).lower()


def frame(data: bytes, content_type: str, *, annotated: bool = True) -> pd.DataFrame:
    """Decode a response as `query_dataframe` does."""
    documents = decoder_for(content_type, packed=True, annotated=annotated)
    assert documents is not None
    tables = Tables()
    for begin in range(0, len(data), CHUNK):
        for document in documents.feed(data[begin : begin + CHUNK]):
            tables.add(QueryResult(document["results"]))
    for document in documents.close():
        tables.add(QueryResult(document["results"]))
    return to_frame(tables.finish()[0])


def loads(data: bytes) -> None:
    """Decode each line and discard it."""
    for line in data.splitlines():
        orjson.loads(line)


class _Response(io.BytesIO):
    """A response as FluxCsvParser reads it."""

    def release_conn(self) -> None: ...


def peer_frame(data: bytes) -> list[pd.DataFrame]:
    """Parse a response as influxdb-client's `query_data_frame` does."""
    parser = FluxCsvParser(_Response(data), FluxSerializationMode.dataFrame, data_frame_index=["_time"])
    return list(parser.generator())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(describe_machine())
    print(describe_versions(["msgspec", "numpy", "pandas", "orjson", "influxdb-client"]))
    rows, part = options.rows, max(options.rows // PART, 1)
    lines, tables, few_tables = json_lines(rows), annotated_csv(rows), annotated_csv(part)
    assert len(frame(lines, "application/jsonl")) == rows
    assert len(frame(tables, "text/csv")) == rows
    compare("JSON Lines, per row", {
        "DataFrame": partial(frame, lines, "application/jsonl"),
        "orjson.loads of each line": partial(loads, lines),
    }, {}, rows, options.rounds)  # fmt: skip
    compare("Annotated CSV, per row", {
        "DataFrame": partial(frame, tables, "text/csv"),
        "influxdb-client": partial(peer_frame, few_tables),
    }, {"influxdb-client": part}, rows, options.rounds)  # fmt: skip
    for title, missing in (("", 0), (", 10 % missing", 0.1)):
        in_msgpack, in_json, in_csv = influxql(rows, missing)
        message_pack = {"MessagePack": partial(frame, in_msgpack, "application/x-msgpack")}
        compare(f"JSON{title}, per row", {
            "JSON": partial(frame, in_json, "application/json"), **message_pack,
        }, {}, rows, options.rounds)  # fmt: skip
        compare(f"CSV{title}, per row", {
            "CSV": partial(frame, in_csv, "text/csv", annotated=False), **message_pack,
        }, {}, rows, options.rounds)  # fmt: skip


def compare(title: str, variants: dict[str, Variant], fewer: dict[str, int], rows: int, rounds: int) -> None:
    """Measure the variants and print their times, and the ratio of the first to the second."""
    times = measure_interleaved(variants, {name: fewer.get(name, rows) for name in variants}, rounds)
    print(f"\n{title}")
    for name, taken in times.items():
        print(f"{name:30}{taken.median * 1e9:9.0f} ns  +- {taken.spread:.0%}")
    first, second = times.values()
    print(f"{'ratio':30}{ratio(first, second):9.3f}")


if __name__ == "__main__":
    main()
