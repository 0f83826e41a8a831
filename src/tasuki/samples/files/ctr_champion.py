"""The click model that serves today: app, slot, their combination, system and hour."""

from sklearn.linear_model import LogisticRegression

from tasuki.models import DefaultAnswer, Model, Target, category, cross, hour_of_day

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
    ),
    estimator=LogisticRegression(C=0.1, max_iter=300),
    buckets=2**16,
    training_days=14,
    segments=("slot",),
    seed=1,
    intended_use="The click probability of an ad opportunity, for bidding.",
    unsuitable_use="Installs, and apps that the training window has not seen.",
    baseline="the click rate of all impressions",
    outcomes=("bid", "price", "installed", "installed_at"),
    default=DefaultAnswer(0.0, "no bid for an opportunity that cannot be scored"),
)
