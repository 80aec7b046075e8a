"""Annotated CSV is read as documented and as InfluxData's own client reads it; a point's fields are put together."""

from datetime import datetime
from pathlib import Path
from unittest.mock import patch

from influxdb_client.client.flux_csv_parser import FluxCsvParser, FluxSerializationMode
import pytest
from urllib3 import HTTPResponse

from custom_components.strata.core.model import to_micros
from custom_components.strata.imports import flux as language
from custom_components.strata.imports.flux import joined
from custom_components.strata.imports.points import OldPoint
from custom_components.strata.mirror.errors import MirrorQueryError
from custom_components.strata.mirror.flux import instant, parse, text

FILES = Path(__file__).parent.parent / "fixtures" / "influxdb"


def body(name: str) -> str:
    return (FILES / name).read_bytes().decode()


@pytest.mark.parametrize("name", ["firsts.csv", "page.csv"])
def test_we_read_what_the_official_client_reads(name: str) -> None:
    response = HTTPResponse(body=(FILES / name).open("rb"), preload_content=False)
    parser = FluxCsvParser(response, FluxSerializationMode.stream)
    theirs = [
        {key: value for key, value in record.values.items() if key not in {"_time", "table"}}
        for record in parser.generator()
    ]
    ours = [
        {key: value for key, value in record.items() if key not in {"_time", "table"}} for record in parse(body(name))
    ]
    assert ours == theirs
    assert len(ours) == 4


def test_numbers_are_numbers_and_texts_stay_texts() -> None:
    first, second, third, fourth = parse(body("page.csv"))
    assert (first["_value"], second["_value"]) == (200.0, 650.0)
    assert (third["_value"], third["table"], third["result"]) == ('on, "really"', 1, "_result")
    assert fourth["_value"] == "kW"


def test_an_error_behind_rows_is_an_error() -> None:
    with pytest.raises(MirrorQueryError, match="memory limit exceeded"):
        parse(body("failed.csv"))
    # Without annotations, as where nothing else came before it.
    with pytest.raises(MirrorQueryError, match="Failed to parse query"):
        parse("error,reference\nFailed to parse query,897\n")
    with pytest.raises(MirrorQueryError, match="the query failed"):
        parse(",error,reference\n,,897\n")


def test_what_is_no_number_is_an_error_and_what_is_empty_is_nothing() -> None:
    head = "#datatype,string,double,boolean,long\n#default,,,,\n,name,number,flag,count\n"
    assert parse(f"{head},,1.5,true,\n") == [{"name": None, "number": 1.5, "flag": True, "count": None}]
    # A table of a new shape may follow without an empty line; a short row lacks its last columns.
    assert parse(f"{head},a,1,false,2\n{head},b\n")[1] == {"name": "b", "number": None, "flag": None, "count": None}
    assert parse("") == []
    with pytest.raises(MirrorQueryError, match="for a number"):
        parse(f"{head},a,much,true,1\n")


def test_fields_of_a_point_are_put_together() -> None:
    at = [to_micros_of("2026-02-03T06:00:00+00:00"), to_micros_of("2026-02-03T06:15:00.500000+00:00")]
    page = joined(parse(body("page.csv")))
    assert page.rest is None
    assert list(page.points) == [
        OldPoint(at[0], 200.0, None, "kW"),
        OldPoint(at[1], 650.0, 'on, "really"', None),
    ]


def test_only_what_every_field_has_reached_is_whole() -> None:
    def rows(field: str, times: range, value: object) -> list[dict[str, object]]:
        return [{"_time": f"2026-02-03T06:00:{s:02}Z", "_field": field, "_value": value} for s in times]

    with patch.object(language, "PAGE", 3):
        page = joined([*rows("value", range(0, 9, 3), 1.0), *rows("state", range(3), "on"), *rows("odd", range(5), 1)])
    # Texts reach to the third second, numbers to the seventh: the rest is asked for again.
    start = to_micros_of("2026-02-03T06:00:00+00:00")
    assert [(point.time - start, point.value, point.state) for point in page.points] == [
        (0, 1.0, "on"),
        (1_000_000, None, "on"),
        (2_000_000, None, "on"),
    ]
    assert page.rest == start + 2_000_001


def test_texts_and_times_are_quoted() -> None:
    assert text('k"W\\h ${x}\n') == r'"k\"W\\h \${x}\n"'
    assert instant(to_micros_of("2026-02-03T06:00:00+00:00")) == "2026-02-03T06:00:00Z"


def to_micros_of(time: str) -> int:
    return to_micros(datetime.fromisoformat(time))
