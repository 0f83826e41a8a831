"""As the champion, and the device and how often the same network address has clicked before."""

from sklearn.linear_model import LogisticRegression

from tasuki.models import Model, Target, category, hour_of_day, number

model = Model(
    name="install",
    table="impressions",
    unit="user",
    time="at",
    target=Target("installed", delay_hours=6, time="installed_at"),
    features=(
        category("app"),
        category("channel"),
        category("os"),
        category("device"),
        hour_of_day("at", utc_offset_hours=8),
        number("clicks_before", bins=(1, 2, 4, 8, 16, 64)),
    ),
    estimator=LogisticRegression(C=1.0, max_iter=300),
    buckets=2**14,
    training_days=7,
    segments=("app",),
    seed=1,
    intended_use="Ranking clicks on mobile ads by the chance of an install.",
    unsuitable_use="Anything about a person: the log knows network addresses, not people.",
    baseline="The champion: app, channel, system and hour.",
)
