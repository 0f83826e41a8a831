"""What is wrong with data is told in Japanese as well, with the same facts."""

from contextlib import closing
from pathlib import Path

import pytest

from tasuki.errors import TasukiError
from tasuki.texts import Teller
from tasuki.warehouse import Warehouse, source_of

WRONG = {
    "empty.csv": (b"", "空（0 バイト）です"),
    "bare.csv": (b"a,b\n", "ヘッダーしかなく"),
    "twice.csv": (b"a,a\n1,2\n", "同じ名前の列"),
    "sjis.csv": ("a,b\nあ,い\n".encode("cp932"), "UTF-8 ではありません"),
    "cut.csv.gz": (b"\x1f\x8b\x08\x00\x00", "gzip が壊れています"),
    "book.csv": (b"PK\x03\x04 rest of a workbook", "zip または Excel のファイルです"),
    "fake.parquet": (b"a,b\n1,2\n", "先頭が PAR1 ではない"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_cannot_be_read_is_told_in_japanese(tmp_path: Path, name: str) -> None:
    content, told = WRONG[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TasukiError) as caught, closing(Warehouse()) as warehouse:
        warehouse.columns(source_of(tmp_path / name))
    japanese = Teller().japanese(caught.value.what) or ""
    assert told in japanese
    assert str(tmp_path / name) in japanese
    for said in (caught.value.expected, caught.value.next_step):
        assert not said or Teller().japanese(said), f"nobody translated {said!r}"


def test_a_name_that_is_nearly_right_is_told_in_japanese(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("a\n1\n")
    with pytest.raises(TasukiError) as caught:
        source_of(tmp_path / "result.csv")
    assert Teller().japanese(caught.value.next_step) == f"{tmp_path / 'results.csv'} のことですか?"
