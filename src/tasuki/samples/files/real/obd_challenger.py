"""As the champion, and which item is shown to what kind of user."""

from sklearn.linear_model import LogisticRegression

from tasuki.models import Model, Target, category, cross, hour_of_day

model = Model(
    name="click",
    table="impressions",
    unit="user",
    time="at",
    target=Target("clicked"),
    features=(
        cross("campaign", "slot"),
        category("item"),
        category("user_feature_0"),
        category("user_feature_1"),
        category("user_feature_2"),
        category("user_feature_3"),
        hour_of_day("at", utc_offset_hours=9),
    ),
    estimator=LogisticRegression(C=0.1, max_iter=300),
    buckets=2**12,
    training_days=7,
    segments=("campaign", "slot"),
    seed=1,
    intended_use="Ranking pairs of item and visitor by the chance of a click.",
    unsuitable_use="Items that were never shown: it has learnt nothing of them.",
    baseline="The champion: campaign, position and hour.",
)
