"""Every good item is read, every bad one is named by its place, and no message repeats the input."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.orchestration import ContentType
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.entrypoints.cli.input_formats import InputFormat
from llama_mapper.entrypoints.cli.input_items import Input, InputFault, InputItem, RequestDefaults
from llama_mapper.entrypoints.cli.inputs import InputOptions, format_of, read_inputs, total_bytes

MARK = "zebra-secret-4711"


def read(raw: bytes, kind: str, *, column: str | None = None, limit: int = 1000) -> list[Input]:
    options = InputOptions(InputFormat(kind), column, limit)
    return list(read_inputs(["-"], io.BytesIO(raw), options))


def contents(inputs: list[Input]) -> list[str]:
    assert all(isinstance(one, InputItem) for one in inputs), inputs
    return [one.request.content or "" for one in inputs if isinstance(one, InputItem)]


def faults(inputs: list[Input]) -> list[tuple[int, ErrorCode]]:
    return [(one.number, one.code) for one in inputs if isinstance(one, InputFault)]


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_a_json_line_may_be_a_string_or_an_object_with_its_own_fields() -> None:
    raw = b'"bare"\n' + line(
        content="full",
        id=7,
        content_type="email",
        categories=["pii.personal_identifiers"],
        metadata={"channel": "web", "attempt": 2},
        policy_bundle="strict",
    )
    first, second = read(raw + b"\r\n\n  \n" + line(text="by text", id="a b"), "jsonl")[:2]
    assert isinstance(first, InputItem)
    assert isinstance(second, InputItem)
    assert (first.request.content, first.id, first.number, first.request.policy_bundle) == (
        "bare",
        "-:1",
        1,
        "default",
    )
    request = second.request
    assert (second.id, second.number, request.content) == ("7", 2, "full")
    assert request.content_type is ContentType.EMAIL
    assert request.categories == ("pii.personal_identifiers",)
    assert request.metadata == {"channel": "web", "attempt": 2}
    assert request.policy_bundle == "strict"
    assert request.tenant_id == "local"


def test_what_a_line_does_not_say_comes_from_the_defaults() -> None:
    defaults = RequestDefaults(tenant_id="acme", policy_bundle="strict", frameworks=("soc2",))
    (item,) = read_inputs(["-"], io.BytesIO(b'"x"'), InputOptions(InputFormat.JSONL), defaults)
    assert isinstance(item, InputItem)
    assert (item.request.tenant_id, item.request.policy_bundle, item.request.frameworks) == (
        "acme",
        "strict",
        ("soc2",),
    )


BAD_LINES = {
    "cut off": (b'{"content": "' + MARK.encode(), ErrorCode.INVALID_REQUEST),
    "two values": (f'"{MARK}" "{MARK}"'.encode(), ErrorCode.INVALID_REQUEST),
    "a number": (b"4711", ErrorCode.INVALID_REQUEST),
    "null": (b"null", ErrorCode.INVALID_REQUEST),
    "a list": (json.dumps([MARK]).encode(), ErrorCode.INVALID_REQUEST),
    "not a number": (b'{"content": NaN}', ErrorCode.INVALID_REQUEST),
    "nothing": (line(id="a"), ErrorCode.INVALID_REQUEST),
    "content and text": (line(content=MARK, text=MARK), ErrorCode.INVALID_REQUEST),
    "content null": (line(content=None), ErrorCode.INVALID_REQUEST),
    "content a list": (line(content=[MARK]), ErrorCode.INVALID_REQUEST),
    "unknown field": (line(content="x", contents=1), ErrorCode.INVALID_REQUEST),
    "unknown field of content": (line(content="x")[:-1] + f', "{MARK} is 1": 1}}'.encode(), ErrorCode.INVALID_REQUEST),
    "empty": (line(content=""), ErrorCode.INVALID_REQUEST),
    "blank": (line(content=" \n"), ErrorCode.INVALID_REQUEST),
    "bad id": (line(content="x", id=[MARK]), ErrorCode.INVALID_REQUEST),
    "boolean id": (line(content="x", id=True), ErrorCode.INVALID_REQUEST),
    "long id": (line(content="x", id=MARK * 20), ErrorCode.INVALID_REQUEST),
    "bad content type": (line(content="x", content_type=MARK), ErrorCode.INVALID_REQUEST),
    "bad categories": (line(content="x", categories=[MARK]), ErrorCode.INVALID_REQUEST),
    "categories no list": (line(content="x", categories=MARK), ErrorCode.INVALID_REQUEST),
    "nested metadata": (line(content="x", metadata={MARK: {MARK: 1}}), ErrorCode.INVALID_REQUEST),
    "bad bundle": (line(content="x", policy_bundle=f"{MARK} {MARK}"), ErrorCode.INVALID_REQUEST),
    "bundle a number": (line(content="x", policy_bundle=7), ErrorCode.INVALID_REQUEST),
    "too long": (line(content=MARK * 100), ErrorCode.CONTENT_TOO_LARGE),
    "line too long": (b'{"content": "' + b"x" * 200_000 + b'"}', ErrorCode.CONTENT_TOO_LARGE),
    "NUL": (line(content=f"{MARK}\0"), ErrorCode.UNPROCESSABLE_CONTENT),
    "escape": (line(content=f"{MARK}\x1b[31m"), ErrorCode.UNPROCESSABLE_CONTENT),
    "not UTF-8": (b'{"content": "' + MARK.encode() + b'\xff"}', ErrorCode.UNPROCESSABLE_CONTENT),
    "lone surrogate": (b'{"content": "\\ud800"}', ErrorCode.INVALID_REQUEST),
}


@pytest.mark.parametrize(("raw", "code"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_broken_line_is_named_by_its_number_and_the_rest_goes_on(raw: bytes, code: ErrorCode) -> None:
    first, broken, last = read(b'"before"\n' + raw + b'\n"after"\n', "jsonl")
    assert contents([first, last]) == ["before", "after"]
    assert isinstance(broken, InputFault)
    assert (broken.number, broken.code) == (2, code)
    assert MARK not in broken.message
    assert isinstance(last, InputItem)
    assert last.number == 3


def test_a_fault_says_what_is_wrong() -> None:
    unknown, long, nul, syntax = read(
        b"\n".join([line(content="x", contents=1), line(content="x" * 1001), line(content="ab\0"), b'{"a":']) + b"\n",
        "jsonl",
    )
    assert isinstance(unknown, InputFault)
    assert isinstance(long, InputFault)
    assert isinstance(nul, InputFault)
    assert isinstance(syntax, InputFault)
    assert "'contents'" in unknown.message
    assert "1001 characters; at most 1000" in long.message
    assert "NUL at character 3" in nul.message
    assert "column 6" in syntax.message


def test_a_byte_order_mark_is_not_content() -> None:
    mark = b"\xef\xbb\xbf"
    assert contents(read(mark + b'"x"\n', "jsonl")) == ["x"]
    assert contents(read(mark + b"x", "text")) == ["x"]
    assert contents(read(mark + b"content\nx\n", "csv")) == ["x"]


def test_a_text_file_is_one_item_byte_for_byte() -> None:
    (item,) = read("Zeile 1\r\nGröße 2\n".encode(), "text")
    assert contents([item]) == ["Zeile 1\r\nGröße 2\n"]
    assert isinstance(item, InputItem)
    assert item.number == 1


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", ErrorCode.INVALID_REQUEST),
        (b" \n\t", ErrorCode.INVALID_REQUEST),
        (b"\xff\xfeh\x00i\x00", ErrorCode.UNPROCESSABLE_CONTENT),
        (b"a\0b", ErrorCode.UNPROCESSABLE_CONTENT),
        (b"\x07", ErrorCode.UNPROCESSABLE_CONTENT),
        (b"x" * 1001, ErrorCode.CONTENT_TOO_LARGE),
        (b"x" * 10_000, ErrorCode.CONTENT_TOO_LARGE),
    ],
)
def test_a_text_that_cannot_be_content_is_a_fault(raw: bytes, code: ErrorCode) -> None:
    assert faults(read(raw, "text")) == [(1, code)]


def test_a_text_at_the_limit_is_read() -> None:
    assert contents(read("😀".encode() * 1000, "text")) == ["😀" * 1000]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_the_wanted_column(delimiter: str) -> None:
    table = io.StringIO()
    csv.writer(table, delimiter=delimiter).writerows(
        [["id", "body, or; text"], ["7", "a,b;c\td|e"], ["8", "two\nlines"]]
    )
    items = read(table.getvalue().encode(), "csv", column="body, or; text")
    assert contents(items) == ["a,b;c\td|e", "two\nlines"]
    assert [(one.id, one.number) for one in items if isinstance(one, InputItem)] == [("7", 2), ("8", 3)]


def test_without_a_named_column_content_or_text_is_taken() -> None:
    assert contents(read(b"text,content\nwrong,right\n", "csv")) == ["right"]
    assert contents(read(b"label;text\n1;right\n", "csv")) == ["right"]
    assert contents(read(b"text\nno delimiter here\n", "csv")) == ["no delimiter here"]


def test_a_missing_column_is_one_fault_that_names_the_columns() -> None:
    (fault,) = read(b"label,body,is_toxic\n1,x,0\n", "csv", column="text")
    assert isinstance(fault, InputFault)
    assert (fault.number, fault.code) == (0, ErrorCode.INVALID_REQUEST)
    assert "'text'" in fault.message
    for name in ("'label'", "'body'", "'is_toxic'"):
        assert name in fault.message


def test_a_first_row_that_is_no_header_is_not_repeated() -> None:
    (fault,) = read(f"my key is {MARK},1\nx,2\n".encode(), "csv", column="text")
    assert isinstance(fault, InputFault)
    assert MARK not in fault.message


@pytest.mark.parametrize("raw", [b"", b"\n", b"  \nx\n"])
def test_a_table_without_a_header_is_one_fault(raw: bytes) -> None:
    assert faults(read(raw, "csv")) == [(0, ErrorCode.INVALID_REQUEST)]


BAD_ROWS = {
    "too few cells": (b"1", ErrorCode.INVALID_REQUEST),
    "too many cells": (b"1,x,y", ErrorCode.INVALID_REQUEST),
    "empty cell": (b"1,", ErrorCode.INVALID_REQUEST),
    "not UTF-8": (b"1,a\xffb", ErrorCode.UNPROCESSABLE_CONTENT),
    "NUL": (b"1,a\0b", ErrorCode.UNPROCESSABLE_CONTENT),
    "too long": (b"1," + b"x" * 1001, ErrorCode.CONTENT_TOO_LARGE),
}


@pytest.mark.parametrize(("row", "code"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_named_by_its_line_and_the_rest_goes_on(row: bytes, code: ErrorCode) -> None:
    inputs = read(b'label,text\n0,"two\nlines"\n' + row + b"\n\n2,after\n", "csv")
    assert faults(inputs) == [(4, code)]
    assert contents([inputs[0], inputs[2]]) == ["two\nlines", "after"]
    last = inputs[2]
    assert isinstance(last, InputItem)
    assert last.number == 6


@pytest.mark.parametrize("row", [b'1,"never closed', b'1,"closed" twice'])
def test_broken_quoting_ends_the_table_and_says_so(row: bytes) -> None:
    inputs = read(b"label,text\n0,before\n" + row + b"\n2,after\n", "csv")
    assert contents(inputs[:1]) == ["before"]
    assert faults(inputs) == [(3, ErrorCode.INVALID_REQUEST)]
    fault = inputs[-1]
    assert isinstance(fault, InputFault)
    assert "not read" in fault.message


@given(rows=st.lists(st.text(st.characters(codec="utf-8", min_codepoint=0x20), min_size=1), max_size=8))
def test_what_the_csv_module_writes_is_read_back(rows: list[str]) -> None:
    table = io.StringIO()
    csv.writer(table).writerows([["label", "text"], *([str(at), row] for at, row in enumerate(rows))])
    inputs = read(table.getvalue().encode(), "csv")
    assert len(inputs) == len(rows)
    good = [row for row in rows if row.strip()]
    assert contents([one for one in inputs if isinstance(one, InputItem)]) == good


@given(items=st.lists(st.text(st.characters(codec="utf-8", min_codepoint=0x20), min_size=1), max_size=8))
def test_what_json_writes_is_read_back_in_either_escaping(items: list[str]) -> None:
    good = [item for item in items if item.strip()]
    for escape in (True, False):
        raw = "\n".join(json.dumps(item, ensure_ascii=escape) for item in items).encode()
        inputs = read(raw, "jsonl")
        assert len(inputs) == len(items)
        assert contents([one for one in inputs if isinstance(one, InputItem)]) == good


@given(raw=st.binary(max_size=300), kind=st.sampled_from(InputFormat))
def test_no_bytes_at_all_make_a_reader_raise(raw: bytes, kind: InputFormat) -> None:
    for one in read(raw, kind.value) + read(b"id,text\n" + raw, kind.value):
        assert one.bytes_read <= len(raw) + 8


def test_files_are_read_in_order_each_in_its_format_and_a_bad_one_does_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.JSONL").write_bytes(b'"one"\n')
    (tmp_path / "b.md").write_bytes(b"two")
    (tmp_path / "c.csv").write_bytes(b"content\nthree\n")
    (tmp_path / "folder").mkdir()
    names = ["a.JSONL", "absent.txt", "folder", "b.md", "-", "-", "c.csv"]
    sources = [name if name == "-" else str(tmp_path / name) for name in names]
    inputs = list(read_inputs(sources, io.BytesIO(b"piped")))
    assert contents([one for one in inputs if isinstance(one, InputItem)]) == ["one", "two", "piped", "three"]
    assert [(Path(one.source).name, one.number, one.code) for one in inputs if isinstance(one, InputFault)] == [
        ("absent.txt", 0, ErrorCode.NOT_FOUND),
        ("folder", 0, ErrorCode.INVALID_REQUEST),
        ("-", 0, ErrorCode.INVALID_REQUEST),
    ]
    read_so_far = [one.bytes_read for one in inputs]
    assert read_so_far == sorted(read_so_far)
    assert read_so_far[-1] == 6 + 3 + 5 + 14


def test_the_total_is_known_for_files_and_for_nothing_else(tmp_path: Path) -> None:
    one, two = tmp_path / "1.txt", tmp_path / "2.txt"
    one.write_bytes(b"12")
    two.write_bytes(b"345")
    assert total_bytes([str(one), str(two)]) == 5
    assert total_bytes([str(one), "-"]) is None
    assert total_bytes([str(one), str(tmp_path / "absent")]) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.jsonl", "jsonl"), ("a.ndjson", "jsonl"), ("a.tsv", "csv"), ("a.csv", "csv"), ("a.log", "text"), ("-", "text")],
)
def test_the_extension_tells_the_format(name: str, expected: str) -> None:
    assert format_of(name) == expected


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_items_come_while_the_rest_of_the_stream_is_unread(kind: str) -> None:
    lines = b"text\n" + b'"a line of some length"\n' * 10_000
    stream = io.BytesIO(lines if kind == "csv" else lines.partition(b"\n")[2])
    first = next(read_inputs(["-"], stream, InputOptions(InputFormat(kind))))
    assert isinstance(first, InputItem)
    assert stream.tell() < 100
