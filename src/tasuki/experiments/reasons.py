"""Why the rule says what it says: a code with names and figures, and its sentence in English and Japanese."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Language = Literal["en", "ja"]


@dataclass(frozen=True)
class Reason:
    """One reason of a recommendation.

    Args:
        code: A key of `TEXTS`.
        values: The names and figures that its sentence speaks of, as JSON values.
    """

    code: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)


def reason_text(reason: Reason, language: Language = "en") -> str:
    """The reason as a sentence. A code that is not known (of a newer version) is shown as it is."""
    known = TEXTS.get(reason.code)
    if known is None:
        return reason.code
    size = _size(reason.values)
    return known[language].format_map({**reason.values, "size": size, "p": _p_value(reason.values, language)})


def _size(values: Mapping[str, Any]) -> str:
    metric, relative, effect = (values.get(name) for name in ("metric", "relative", "effect"))
    # A change that a share would round away is told in the metric's own unit.
    if relative is not None and (effect is None or not effect or abs(relative) >= 0.000005):
        decimals = 1 if abs(relative) >= 0.1 else 2 if abs(relative) >= 0.001 else 3
        return f"{metric} {relative:+.{decimals}%}"
    return f"{metric} {effect:+.4g}" if effect is not None else f"{metric}"


def _p_value(values: Mapping[str, Any], language: Language) -> str:
    p = values.get("p_value_adjusted")
    if p is None:
        return ""
    said = "< 0.001" if p < 0.001 else f"{p:.2g}"
    return f" (adjusted p {said})" if language == "en" else f"（調整済み p 値 {said}）"


TEXTS: Mapping[str, Mapping[Language, str]] = {
    "data_cannot_answer": {
        "en": "The data cannot answer.",
        "ja": "このデータでは判断できません。",
    },
    "concern": {
        "en": "{message}",
        "ja": "懸念: {message}",
    },
    "gain": {
        "en": "{arm}: {size} is a significant gain{p}.",
        "ja": "{arm}: {size} は有意な改善です{p}。",
    },
    "harm": {
        "en": "{arm}: {size} is a significant harm{p}.",
        "ja": "{arm}: {size} は有意な悪化です{p}。",
    },
    "undecided": {
        "en": "{arm}: {size} may be chance{p}.",
        "ja": "{arm}: {size} は偶然の範囲かもしれません{p}。",
    },
    "only_arm": {
        "en": "This is about {arm} only: {others} does harm and must not be shipped.",
        "ja": "対象は {arm} だけです。{others} には悪化が見られるため、リリースしないでください。",
    },
    "holds": {
        "en": "{arm}: the guardrail {size} is not worse by its margin.",
        "ja": "{arm}: ガードレール指標 {size} は許容幅を超えて悪化していません。",
    },
    "broken": {
        "en": "{arm}: the guardrail {size} is worse by more than its margin.",
        "ja": "{arm}: ガードレール指標 {size} は許容幅を超えて悪化しています。",
    },
    "open": {
        "en": "{arm}: the guardrail {size} may be worse by its margin; more units would tell.",
        "ja": "{arm}: ガードレール指標 {size} は許容幅を超えて悪化した可能性があります。単位数が増えれば分かります。",
    },
    "unknown": {
        "en": "{arm}: {metric} has no interval.",
        "ja": "{arm}: {metric} は区間を計算できません。",
    },
    "nothing_shown": {
        "en": "{arm}: neither a gain nor a harm is shown.",
        "ja": "{arm}: 改善も悪化も示されていません。",
    },
    "effect_excluded": {
        "en": "{arm}: an effect worth finding ({mde:.3g}) is excluded.",
        "ja": "{arm}: 見つけたい大きさの効果（{mde:.3g}）はないと言えます。",
    },
    "power_reached": {
        "en": "{arm}: the planned power was reached and no gain was shown.",
        "ja": "{arm}: 計画した検出力に達しましたが、改善は示されていません。",
    },
    "units_needed": {
        "en": "{arm}: {times:.1f} times as many units would be needed to tell.",
        "ja": "{arm}: 判断には {times:.1f} 倍の単位数が必要です。",
    },
    "days_too_many": {
        "en": "{arm}: {days} more days would be needed to tell.",
        "ja": "{arm}: 判断にはあと {days} 日必要です。",
    },
    "days_would_tell": {
        "en": "{arm}: {days} more days would tell.",
        "ja": "{arm}: あと {days} 日で判断できます。",
    },
    "guardrail_days": {
        "en": "{arm}: {days} more days would show whether the guardrail {metric} holds.",
        "ja": "{arm}: あと {days} 日で、ガードレール指標 {metric} が守られているか分かります。",
    },
    "outside_plan": {
        "en": "This is not quite what was registered: {what}.",
        "ja": "登録した計画と違う点があります: {what_ja}。",
    },
}
