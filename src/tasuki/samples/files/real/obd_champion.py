"""The chance that a shown item is clicked, from the campaign, its position and the hour."""

from sklearn.linear_model import LogisticRegression

from tasuki.models import Model, Target, cross, hour_of_day

model = Model(
    name="click",
    table="impressions",
    unit="user",
    time="at",
    target=Target("clicked"),
    features=(cross("campaign", "slot"), hour_of_day("at", utc_offset_hours=9)),
    estimator=LogisticRegression(C=0.1, max_iter=300),
    buckets=2**12,
    training_days=7,
    segments=("campaign", "slot"),
    seed=1,
    intended_use="Ranking places for a recommendation by the chance of a click.",
    unsuitable_use="Choosing items: it does not look at them.",
    baseline="The average click rate.",
)
