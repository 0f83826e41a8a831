"""The seven people of the sample team: a mobile-ad buying product in Japan."""

from dataclasses import replace

from tasuki.flow.plan import Member

MEMBERS: tuple[Member, ...] = (
    Member("aoi", ("analyst",), "ja", "葵"),
    Member("haru", ("analyst",), "ja", "陽"),
    Member("ren", ("data_scientist",), "ja", "蓮"),
    Member("mio", ("data_scientist",), "ja", "澪"),
    Member("sota", ("ml_engineer",), "ja", "蒼太"),
    Member("yui", ("ml_engineer",), "ja", "結衣"),
    Member("kaito", ("data_engineer",), "ja", "海斗"),
)


def members_in(language: str) -> tuple[Member, ...]:
    """The team as readers of a language meet it: names in kanji, or romanised."""
    if language == "ja":
        return MEMBERS
    return tuple(replace(one, language="en", display_name=one.name.capitalize()) for one in MEMBERS)
