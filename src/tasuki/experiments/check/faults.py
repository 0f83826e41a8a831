"""What a failed probe may have found: the name of the fault, what it is and what to do, in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasuki.titles import Titles


@dataclass(frozen=True)
class KnownFault:
    """A way in which a service does not behave as designed.

    Args:
        what: What it is.
        remedy: What to do about it.
    """

    what: Titles
    remedy: Titles


def _fault(what: str, remedy: str, what_ja: str, remedy_ja: str) -> KnownFault:
    return KnownFault(Titles(what, what_ja), Titles(remedy, remedy_ja))


NO_DATA = "no_data"

FAULTS: Mapping[str, KnownFault] = {
    NO_DATA: _fault(
        "nothing was seen",
        "see that it is logged: what nobody saw does not behave",
        "データがない",
        "ログに残るようにする（見えていないものは「正しく動いている」とは言えない）",
    ),
    "training_incomplete": _fault(
        "the version is not the result of a complete training run",
        "train and publish again",
        "学習が完了していないバージョン",
        "学習し直して公開する",
    ),
    "artifact_damaged": _fault(
        "the artifact is half-written or damaged",
        "publish it again: a version is put as a whole and never edited",
        "書きかけ、または壊れたアーティファクト",
        "公開し直す（バージョンは丸ごと置き、後から書き換えない）",
    ),
    "golden_mismatch": _fault(
        "the version does not give the scores of its golden examples",
        "compare libraries and encoding with those of the training, then publish again",
        "検証用サンプルとスコアが合わないバージョン",
        "学習時のライブラリと符号化を見比べ、公開し直す",
    ),
    "training_failed": _fault(
        "the training job failed while the experiment ran",
        "read the run's record under runs/, mend the job and run it",
        "実験中に学習ジョブが失敗した",
        "runs/ の記録を読み、ジョブを直して実行する",
    ),
    "training_stale": _fault(
        "the training job does not run on schedule",
        "look at the scheduler, then train and publish",
        "学習ジョブが予定どおりに動いていない",
        "スケジューラを確認し、学習して公開する",
    ),
    "labels_immature": _fault(
        "the version was trained on immature labels",
        "lengthen target.delay_hours in the model file to what the labels need, and train again",
        "未成熟なラベルで学習したバージョン",
        "モデルファイルの target.delay_hours をラベルが揃う長さにして学習し直す",
    ),
    "pointer_stale": _fault(
        "stale pointer: a newer version was published than the one that answers",
        "bring the location up to date with what was published, and see that it is copied whole",
        "古いポインタ（公開済みの新しいバージョンが使われていない）",
        "取得先を公開済みのバージョンに合わせ、丸ごと複写されることを確かめる",
    ),
    "pointer_unreadable": _fault(
        "the channel's pointer cannot be read where the service fetches it",
        "correct the location of the arm, or publish there",
        "取得先のチャンネルが読めない",
        "群の取得先を直すか、そこへ公開する",
    ),
    "arms_exchanged": _fault(
        "arm swap: each arm is answered as the other was meant to be",
        "compare channels and shares in serving/routing.json with what the experiment was started with",
        "群の入れ替わり（対照群と処置群が逆）",
        "serving/routing.json のチャンネルと割合を、開始時の設定と見比べる",
    ),
    "version_other": _fault(
        "another version answers than the one that was published",
        "ask the service's /health which version it loaded and why, then publish or restart",
        "公開したものとは別のバージョンが応答している",
        "サービスの /health で読み込んだバージョンと理由を確かめ、公開または再起動する",
    ),
    "parameters_unavailable": _fault(
        "the service cannot fetch or load the arm's parameters",
        "correct location and rights, and see the error in the service's /health",
        "群のパラメータを取得または読み込みできない",
        "取得先と権限を直し、サービスの /health でエラーを確かめる",
    ),
    "answers_fall_back": _fault(
        "answers fall back to the default",
        "mend the reason that the log gives",
        "フォールバックが多い",
        "ログにある理由を取り除く",
    ),
    "requests_failed": _fault(
        "requests get no answer",
        "look at status codes and time-outs on the client's side, and at the service's log",
        "応答が得られないリクエストがある",
        "クライアント側のステータスとタイムアウト、サービスのログを調べる",
    ),
    "slow_arm": _fault(
        "slow arm: the treatment takes longer than control allows",
        "measure the model's single-row time; shrink it or its features, or agree on another allowance",
        "遅い群（処置群の応答が許容より遅い）",
        "1 行あたりの時間を測り、モデルか特徴量を軽くする。または許容値を合意し直す",
    ),
    "volume_low": _fault(
        "an arm has too little traffic to prove anything",
        "let it run on, or give the arm a larger share",
        "量が足りない群がある",
        "続けて実行するか、群の割合を増やす",
    ),
    "split_wrong": _fault(
        "sample ratio mismatch: the split is not the one that was designed",
        "look for units that are lost or answered elsewhere before the arm is logged",
        "サンプル比の不一致（SRM）",
        "群を記録する前に失われた単位や、別の場所で応答された単位を探す",
    ),
    "unit_sticks": _fault(
        "sticky arm: units are kept in the arm of another split",
        "clear what remembers arms (cache, cookie, old routing), and restart under a new salt",
        "固着した群（別の割り付けの群に残っている）",
        "群を覚えているもの（キャッシュ、Cookie、古いルーティング）を消し、新しいソルトでやり直す",
    ),
    "assignment_other": _fault(
        "units are answered in another arm than salt and shares give",
        "compare the service's salt, shares and their order with those of the start",
        "ソルトと割合から決まる群と違う群で応答している",
        "サービスのソルト・割合・順序を開始時の設定と見比べる",
    ),
    "unit_in_two_arms": _fault(
        "units change their arm while the experiment runs",
        "see that every process reads the same routing, and that the unit's id is stable",
        "実験中に群が変わる単位がある",
        "全プロセスが同じルーティングを読み、単位の ID が変わらないことを確かめる",
    ),
    "log_sampled": _fault(
        "the exposure log is sampled",
        "log every exposure: turn sampling off in whatever carries the log; first see that the client's count is right",
        "エクスポージャーのログが間引かれている",
        "まずクライアントの件数が正しいか確かめ、すべてのエクスポージャーを記録する（ログを運ぶ仕組みのサンプリングを切る）",
    ),
    "exposures_lost": _fault(
        "exposures are lost",
        "look for processes that were killed and segments that were not copied, at the hours named",
        "エクスポージャーのログの欠落",
        "示された時間帯に、強制終了したプロセスや複写されなかったセグメントがないか調べる",
    ),
    "exposures_strange": _fault(
        "the log holds exposures that the client did not count",
        "look for other clients, tests or repeated requests on the experiment's traffic",
        "クライアントが数えていないエクスポージャーがある",
        "他のクライアント、試験、再送がトラフィックに混ざっていないか調べる",
    ),
    "exposures_doubled": _fault(
        "exposures are in the log twice",
        "see that each segment is copied once, and no other writer uses the same ids",
        "エクスポージャーの重複",
        "各セグメントが 1 度だけ複写され、同じ ID を使う書き手がないことを確かめる",
    ),
    "clock_skewed": _fault(
        "clock skew: two clocks disagree",
        "set the machines' time by NTP, and log UTC with its offset",
        "時計のずれ",
        "NTP で時刻を合わせ、時差を明記して UTC で記録する",
    ),
    "time_zone_shifted": _fault(
        "a time is off by whole hours: its time zone is wrong",
        "send moments with their offset (2026-04-01T09:00:00+09:00), and never a local time marked as UTC",
        "時刻が整数時間ずれている（タイムゾーンの誤り）",
        "時差つきの時刻（2026-04-01T09:00:00+09:00）を送り、現地時刻を UTC として送らない",
    ),
    "feature_renamed": _fault(
        "a feature was renamed",
        "send it under the name of the model's schema, or publish a version trained with the new name",
        "特徴量の名前が変わっている",
        "モデルのスキーマの名前で送るか、新しい名前で学習したバージョンを公開する",
    ),
    "feature_missing": _fault(
        "a feature does not arrive",
        "see why the client has no value for it online",
        "特徴量が届いていない",
        "クライアントがオンラインで値を持てない理由を調べる",
    ),
    "columns_exchanged": _fault(
        "wrong column order: the values of two inputs are exchanged",
        "send features by name, and check the order in which the client fills them",
        "列の順序の誤り（2 つの入力の値が入れ替わっている）",
        "特徴量を名前で送り、クライアントが値を詰める順序を確かめる",
    ),
    "category_map_other": _fault(
        "the categories are coded by the map of another version",
        "ship the category map with the version it belongs to, inside the artifact",
        "カテゴリの対応表が別のバージョンのもの",
        "対応表は属するバージョンと一緒に、アーティファクトの中で配る",
    ),
    "values_unknown": _fault(
        "an input has values that training never saw",
        "compare spelling and coding with the training table",
        "学習で見たことのない値がある",
        "表記と符号を学習テーブルと見比べる",
    ),
    "value_default": _fault(
        "an input is stuck at one value, as a default is",
        "see why the client fills in the default instead of the real value",
        "入力が既定値のような 1 つの値に偏っている",
        "クライアントが本来の値でなく既定値を入れる理由を調べる",
    ),
    "values_moved": _fault(
        "an input's values are not those of training",
        "find out whether the traffic or the feature's code changed; train on recent data if it is the traffic",
        "入力の分布が学習時と違う",
        "トラフィックと特徴量のコードのどちらが変わったかを調べる。トラフィックなら新しいデータで学習する",
    ),
    "scores_moved": _fault(
        "the scores are not distributed as training expects",
        "look at the probes of the inputs first, and with hour_of_day at the hours covered; then at what answers",
        "スコアの分布が学習時の想定と違う",
        "まず入力の項目を見る。hour_of_day を使うなら、どの時間帯の分かも見る。次に、何が応答しているかを調べる",
    ),
    "parameters_other": _fault(
        "the scores are those of another version's parameters or category map",
        "see which files the service really loaded; a version's files belong together",
        "別のバージョンのパラメータ（またはカテゴリ対応表）で計算したスコア",
        "サービスが実際に読み込んだファイルを確かめる（1 バージョンのファイルは揃えて使う）",
    ),
    "scores_differ": _fault(
        "the scores served are not those of the version and inputs that were logged",
        "run the golden examples inside the service, and compare its features with the logged inputs",
        "記録されたバージョンと入力から計算し直したスコアと合わない",
        "サービス内で検証用サンプルを実行し、特徴量を記録された入力と見比べる",
    ),
    "outcomes_lost": _fault(
        "outcomes do not arrive for all exposures",
        "look at the join key and at the job that loads outcomes",
        "結果が届かないエクスポージャーがある",
        "結合キーと、結果を取り込むジョブを調べる",
    ),
    "labels_late": _fault(
        "labels arrive otherwise than in training",
        "compare the label's event and its time with the training table's",
        "ラベルの届き方が学習時と違う",
        "ラベルのイベントとその時刻を学習テーブルと見比べる",
    ),
    "miscalibrated": _fault(
        "the scores are not probabilities here: more or fewer positives than predicted",
        "look at label maturity and at the inputs; recalibrate when both are sound",
        "較正のずれ（予測と実績の件数が合わない）",
        "ラベルの成熟と入力を確かめ、どちらも正しければ較正し直す",
    ),
    "spend_runs_off": _fault(
        "the treatment spends more than control allows",
        "stop the experiment, and look at the scale of its scores",
        "処置群の消化が対照群より多すぎる",
        "実験を止め、スコアの大きさを確かめる",
    ),
    "spend_dries_up": _fault(
        "the treatment spends far less than control",
        "stop the experiment, and look at the scale of its scores and at fallbacks",
        "処置群の消化が対照群より少なすぎる",
        "実験を止め、スコアの大きさとフォールバックを確かめる",
    ),
    "days_too_few": _fault(
        "it has not run for the days required",
        "let it run on",
        "必要な日数に達していない",
        "続けて実行する",
    ),
}
