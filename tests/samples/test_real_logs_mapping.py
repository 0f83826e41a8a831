"""The mapping file: built-in ones are right, wrong ones are refused with every fault at once."""

from pathlib import Path

import pytest

from tasuki.errors import Invalid, Missing
from tasuki.samples.mapping import built_in_mappings, read_mapping

GOOD = """
name = "shop"
[time]
column = "when"
[unit]
columns = ["who"]
[label]
what = "click"
column = "hit"
[models]
champion = "a.py"
challenger = "b.py"
[[features]]
name = "app"
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "shop.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_smallest_mapping_has_defaults_for_the_rest(written):
    mapping = read_mapping(written(GOOD))
    assert mapping.columns == ("when", "who", "hit", "app")
    assert (mapping.label_name, mapping.time.format, mapping.replay.held_out_hours) == ("clicked", "iso", 24.0)


def test_the_example_in_the_documents_is_a_valid_mapping(written):
    document = (Path(__file__).parents[2] / "docs" / "real-logs.md").read_text(encoding="utf-8")
    example = document.split("```toml\n", maxsplit=1)[1].split("```", maxsplit=1)[0]
    mapping = read_mapping(written(example))
    assert [feature.type for feature in mapping.features] == ["category", "category", "number", "earlier_rows"]


@pytest.mark.parametrize("name", sorted(built_in_mappings()))
def test_built_in_mappings_are_valid_and_their_model_files_are_there(name):
    path = built_in_mappings()[name]
    mapping = read_mapping(path)
    assert mapping.name == name
    assert len(mapping.notes_en) == len(mapping.notes_ja) > 0
    assert all((path.parent / file).is_file() for file in (mapping.models.champion, mapping.models.challenger))


def test_five_faults_are_reported_at_once_each_with_its_key(written):
    wrong = """
    name = "Shop 1"
    colour = "red"
    [time]
    column = ""
    [label]
    what = "purchase"
    column = "hit"
    delay_hours = -1
    [models]
    champion = "a.py"
    [[features]]
    name = "app"
    type = "text"
    """
    with pytest.raises(Invalid) as caught:
        read_mapping(written(wrong))
    seen = {fault.where.removeprefix("shop.toml: ") for fault in caught.value.faults}
    assert seen == {
        "name",
        "colour",
        "time.column",
        "unit",
        "label.what",
        "label.delay_hours",
        "models.challenger",
        "features.0.type",
    }


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[[features]]\nname = "app"', "is there 2 times"),
        ('[[features]]\nname = "price"', "has a meaning already"),
        ('[[features]]\nname = "leak"\ncolumn = "hit"', "a leak"),
        ('[[features]]\nname = "n"\ntype = "earlier_rows"', "counts nothing"),
        ('[[features]]\nname = "n"\ntype = "number"\ncolumns = ["a", "b"]', "several columns"),
        ('[[features]]\nname = "n"\ncolumn = "a"\ncolumns = ["b"]', "column and columns"),
        ('[log]\nfiles = ["x.csv"]', "of no package"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(written, more, said):
    with pytest.raises(Invalid, match=said):
        read_mapping(written(GOOD + more))


def test_a_mapping_without_features_is_refused(written):
    with pytest.raises(Invalid, match="there is none"):
        read_mapping(written("features = []\n" + GOOD.split("[[features]]", maxsplit=1)[0]))


def test_what_is_no_toml_and_what_is_not_there_say_so(written, tmp_path):
    with pytest.raises(Invalid, match="no mapping file"):
        read_mapping(written("name = [unclosed"))
    with pytest.raises(Missing, match="no mapping file"):
        read_mapping(tmp_path / "none.toml")
