"""The challenger: the champion's features and the minutes since the person was last shown an ad."""

from sklearn.linear_model import LogisticRegression

from tasuki.models import DefaultAnswer, Model, Target, category, cross, hour_of_day, number

model = Model(
    name="ctr",
    table="impressions",
    unit="user",
    time="at",
    target=Target("clicked", delay_hours=1, time="clicked_at"),
    features=(
        category("app"),
        category("slot"),
        cross("app", "slot"),
        category("os"),
        hour_of_day("at", utc_offset_hours=9),
        number("minutes_since_last", bins=(2, 10, 30, 60, 120, 240, 480, 1_440)),
    ),
    estimator=LogisticRegression(C=0.1, max_iter=300),
    buckets=2**16,
    training_days=14,
    segments=("slot",),
    seed=1,
    intended_use="The click probability of an ad opportunity, for bidding.",
    unsuitable_use="Installs, apps that the training window has not seen, and traffic without the time of the last ad.",
    baseline="the champion: the same features without the minutes since the last ad",
    outcomes=("bid", "price", "installed", "installed_at"),
    default=DefaultAnswer(0.0, "no bid for an opportunity that cannot be scored"),
)
