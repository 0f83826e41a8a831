"""The chance that a click is followed by an install, from where and when it was made."""

from sklearn.linear_model import LogisticRegression

from tasuki.models import Model, Target, category, hour_of_day

model = Model(
    name="install",
    table="impressions",
    unit="user",
    time="at",
    target=Target("installed", delay_hours=6, time="installed_at"),
    features=(category("app"), category("channel"), category("os"), hour_of_day("at", utc_offset_hours=8)),
    estimator=LogisticRegression(C=1.0, max_iter=300),
    buckets=2**14,
    training_days=7,
    segments=("app",),
    seed=1,
    intended_use="Ranking clicks on mobile ads by the chance of an install.",
    unsuitable_use="Anything about a person: the log knows network addresses, not people.",
    baseline="The average install rate.",
)
