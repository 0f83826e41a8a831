"""What the demo's members write is complete in both languages."""

import re

from tasuki.demo.run import read_texts


def paths_of(value: object, path: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        return {place: one for key, inner in value.items() for place, one in paths_of(inner, f"{path}.{key}").items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {place: one for n, inner in enumerate(value) for place, one in paths_of(inner, f"{path}.{n}").items()}
    return {path: value}


def test_both_languages_say_the_same_things():
    assert paths_of(read_texts("ja")).keys() == paths_of(read_texts("en")).keys()


def test_both_languages_leave_the_same_gaps_to_be_filled():
    english, japanese = (paths_of(read_texts(language)) for language in ("en", "ja"))
    for place, text in english.items():
        gaps = re.compile(r"{\w+}")
        assert set(gaps.findall(str(text))) == set(gaps.findall(str(japanese[place]))), place


def test_what_is_not_text_is_the_same_in_both():
    english, japanese = (paths_of(read_texts(language)) for language in ("en", "ja"))
    numbers = {place: value for place, value in english.items() if not isinstance(value, str | list)}
    assert numbers
    assert numbers == {place: japanese[place] for place in numbers}
