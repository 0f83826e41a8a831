"""Reasons and concerns in the reader's language, also those of before and from outside."""

from tasuki.web.readings import concern_in, reasons_in

SAID = {"decision": "ship", "reasons": ["treatment: ctr +1.000% is a significant gain."]}
VALUES = {"arm": "treatment", "metric": "ctr", "relative": 0.01, "effect": 0.1, "p_value_adjusted": 0.01}


def test_reasons_are_told_in_japanese_where_their_codes_are_known() -> None:
    grounds = [{"code": "gain", "values": VALUES}, {"code": "later", "values": {}}, {"code": "open", "values": {}}]
    told = reasons_in({**SAID, "grounds": grounds}, "ja")
    assert told == ("処置群: ctr +1.00% は有意な改善です（調整済み p 値 0.01）。", "later", "open")
    assert reasons_in(SAID, "ja") == tuple(SAID["reasons"])


def test_a_concern_that_left_no_decision_is_told_in_japanese() -> None:
    values = {"what": "a", "what_ja": "b", "changes": "alpha: 0.05 → 0.2", "departures": []}
    concern = {"code": "outside_the_plan", "message": "This is not …", "values": values}
    told = reasons_in({**SAID, "grounds": [{"code": "concern", "values": concern}]}, "ja")
    assert told == ("開始前に登録した内容と違う点があります: alpha: 0.05 → 0.2。",)
    note = {"code": "of_nobody", "severity": "info", "message": "Said outside."}
    assert concern_in(note, "ja") == "Said outside."


def test_reasons_name_the_arm_in_the_readers_language() -> None:
    ground = {"code": "nothing_shown", "values": {"arm": "treatment"}}
    recommendation = {"grounds": [ground], "reasons": ["treatment: neither a gain nor a harm is shown."]}
    assert reasons_in(recommendation, "ja") == ("処置群: 改善も悪化も示されていません。",)
