"""Bytes to text."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.artifact import FailureClass
from pipelines.decoding import Undecodable, decode
from pipelines.errors import explain

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"))


@settings(deadline=None)
@given(TEXT)
def test_utf8_is_read_as_it_was_written(text: str) -> None:
    data = text.encode()

    decoded = decode(data)

    assert (decoded.text, decoded.encoding) == (text, "utf-8")


@pytest.mark.parametrize(
    ("mark", "encoding", "name"),
    [
        (codecs.BOM_UTF8, "utf-8", "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16"),
        (codecs.BOM_UTF32_LE, "utf-32-le", "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32-be", "utf-32"),
    ],
)
def test_a_byte_order_mark_decides_and_is_not_part_of_the_text(
    mark: bytes, encoding: str, name: str
) -> None:
    data = mark + "naïve 字 🧠\n".encode(encoding)

    decoded = decode(data)

    assert (decoded.text, decoded.encoding) == ("naïve 字 🧠\n", name)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Die Straße führt über die Brücke nach Süden. " * 20, "cp1252"),
        ("日本語のテキストです。これは長い文章です。" * 10, "shift_jis"),
        ("Привет, как дела? Это проверка кодировки. " * 10, "cp1251"),
        ("한국어 텍스트입니다. 인코딩을 찾아야 합니다. " * 10, "euc-kr"),
    ],
)
def test_other_encodings_are_recognised_by_their_bytes(text: str, encoding: str) -> None:
    data = text.encode(encoding)

    decoded = decode(data)

    assert decoded.text == text


@pytest.mark.parametrize(
    "data",
    [
        b"text\0with a NUL",
        "NUL \0".encode("utf-16"),
        b"\x89PNG\r\n\x1a\n\xff\xfe",
        codecs.BOM_UTF16_LE + b"\x00\xd8",
        bytes(range(1, 256)) * 20,
    ],
    ids=["nul", "nul in utf-16", "png", "half a surrogate", "all bytes"],
)
def test_what_is_no_text_is_undecodable(data: bytes) -> None:
    with pytest.raises(Undecodable) as raised:
        decode(data)

    assert explain(raised.value).failure is FailureClass.UNDECODABLE


def test_nothing_is_an_empty_text() -> None:
    data = b""

    decoded = decode(data)

    assert decoded.text == ""
