"""An index of the events that tell of runs of experiments: a few among all events, and looked for among all ideas."""

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the index."""
    of_runs = text("kind IN ('experiment_started', 'experiment_ramped', 'experiment_stopped')")
    op.create_index(
        "events_of_runs", "events", ["position"], sqlite_where=of_runs, postgresql_where=of_runs, if_not_exists=True
    )
