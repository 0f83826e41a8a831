"""Training on Spark, for tables larger than one machine: the same model file, features and artifact; XGBoost learns.

Each partition's rows become features by the very functions that train on one machine and serve (`codes_and_keys`,
`dense`), shipped to the executors; only counts of keys, a sample of rows and the finished trees come to this process.
Counts over windows are Spark's own window sums, in whole microseconds, with the same open end.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasuki.actions.model_table import plain_column
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Unavailable
from tasuki.models.boosted_text import boosted_text
from tasuki.models.definition import Model
from tasuki.models.encoding import codes_and_keys
from tasuki.models.estimators import family_of
from tasuki.models.features import CountOver, Feature
from tasuki.models.file import ModelFile
from tasuki.models.fitting import LARGEST_VOCABULARY, most_frequent
from tasuki.models.training import Provenance, Training, TrainingRows, training_of
from tasuki.models.trees import Trees, dense, is_plain

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

WORKERS = 2
SAMPLE_ROWS = 50_000
"""Rows that come to this process: for golden examples, metrics and the expected distribution of scores."""
LARGEST_DIFFERENCE = 2e-6
"""Between a score of ours and XGBoost's own: its sums are in 32 bits."""
_OWN = ("n_jobs", "missing", "objective", "booster", "enable_categorical", "callbacks", "device", "feature_types")
_AT, _LABEL = "__at_us", "__label"


@dataclass(frozen=True)
class Learnt:
    """The rows that were learnt from, as figures."""

    start: datetime
    end: datetime
    count: int
    positives: int
    immature: int

    @property
    def immature_share(self) -> float:
        """The share of the window's rows that was left out."""
        return self.immature / (self.immature + self.count)


def train_on_spark(
    workspace: Workspace, file: ModelFile, engine: str, until: datetime | None, say: Callable[[str], None]
) -> tuple[Learnt, Training]:
    """Trains the file's XGBoost model on Spark and makes the artifact's files.

    Args:
        workspace: Whose table is read.
        file: The model file; its estimator is XGBoost's.
        engine: `spark`, or a Spark master.
        until: The end of the window; the end of the data by default.
        say: Told about each step.

    Raises:
        Invalid: When the estimator is another, no row is mature, or there is only one class.
        Unavailable: When Spark or XGBoost is not there.
    """
    model = file.model
    if family_of(model.estimator, model.storage) != "xgboost":
        what = f"{type(model.estimator).__name__} does not train on several machines"
        raise Invalid(f"{model.name} cannot be trained on Spark", [Fault("estimator", what, "xgboost.XGBClassifier")])
    try:
        import xgboost.spark  # noqa: F401  asked before Java starts
    except ImportError as error:
        raise Unavailable("XGBoost for Spark is not there", next_step="pip install 'tasuki[spark]'") from error
    from tasuki.warehouse import Warehouse, source_of
    from tasuki.warehouse.spark_reading import Reader
    from tasuki.warehouse.spark_session import session_for

    session = session_for(engine)
    with closing(Warehouse(workspace.tables)) as local:
        source = source_of(model.table)
        there = tuple(local.columns(source))
        frame = Reader(session, local).frame(source)
    _ship(session)
    rows, learnt = _mature(model, _counted(model, frame), until)
    rows = rows.persist()
    try:
        say(f"{learnt.count:,} rows on {session.sparkContext.master}")
        vocabularies = _vocabularies(model, rows)
        trees, own = _fitted(model, rows, vocabularies)
        say(f"{trees.text.count('Tree=')} trees")
        sample = _sample(model, rows, learnt)
        digest = _hash(rows)
    finally:
        rows.unpersist()
    _check(model, trees, own, sample)
    said = {
        "rows": learnt.count,
        "positives": learnt.positives,
        "immature_rows": learnt.immature,
        "immature_share": learnt.immature_share,
        "engine": "spark",
        "workers": WORKERS,
        "metrics_on_rows": len(sample.labels),
    }
    return learnt, training_of(model, trees, sample, Provenance(file.content_hash, digest, there, said))


def _ship(session: "SparkSession") -> None:
    """Sends this package to the executors, so that they compute features with the same code."""
    import tasuki

    package = Path(str(tasuki.__file__)).parent
    folder = Path(tempfile.mkdtemp(prefix="tasuki-spark-"))
    session.sparkContext.addPyFile(
        shutil.make_archive(str(folder / "tasuki_package"), "zip", package.parent, package.name)
    )


def _counted(model: Model, frame: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions as f

    found = frame.withColumn(_AT, f.unix_micros(f.col(_quoted(model.time)).cast("timestamp")))
    for count in model.counts:
        found = _with_count(count, found)
    return found


def _with_count(count: CountOver, frame: "DataFrame") -> "DataFrame":
    """Rows and events in one line of time; each row is given the events of its window."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    event = f.col(_AT) if count.event is None else f.unix_micros(f.col(_quoted(count.event)).cast("timestamp"))
    by = f.col(_quoted(count.by))
    kept = [f.col(_quoted(name)) for name in frame.columns]
    rows = frame.select(
        by.alias("__by"), f.col(_AT).alias("__when"), f.lit(0).alias("__event"), f.struct(*kept).alias("__row")
    )
    empty = f.lit(None).cast(rows.schema["__row"].dataType)
    events = frame.where(event.isNotNull() & by.isNotNull())
    events = events.select(by.alias("__by"), event.alias("__when"), f.lit(1).alias("__event"), empty.alias("__row"))
    window = Window.partitionBy("__by").orderBy("__when").rangeBetween(-count.window_us, -count.lag_us - 1)
    summed = f.coalesce(f.sum("__event").over(window), f.lit(0)).cast("double")
    value = f.when(f.col("__by").isNotNull(), summed)
    together = rows.unionByName(events).withColumn("__count", value).where("__event = 0")
    return together.select("__row.*", f.col("__count").alias(count.column))


def _mature(model: Model, frame: "DataFrame", until: datetime | None) -> tuple["DataFrame", Learnt]:
    from pyspark.sql import functions as f

    last = frame.agg(f.max(_AT)).first()
    if last is None or last[0] is None:
        raise Invalid(f"table {model.table} has no rows", [Fault(model.table, "is empty")])
    end = round(until.timestamp() * 1_000_000) if until else int(last[0]) + 1
    start = end - round(model.training_days * 86_400_000_000)
    delay = round(model.target.delay_hours * 3_600_000_000)
    inside = frame.where((f.col(_AT) >= start) & (f.col(_AT) < end))
    label, is_label = _labels(model, delay)
    is_mature = f.col(_AT) + delay <= end
    figures = inside.agg(
        f.count(f.lit(1)), f.count_if(is_mature), f.count_if(is_mature & label), f.count_if(is_mature & ~is_label)
    ).first()
    total, mature, positives, wrong = (int(one) for one in figures or (0, 0, 0, 0))
    if wrong:
        fault = Fault(model.target.column, f"holds other values in {wrong:,} rows", "true/false or 0/1, never null")
        raise Invalid(f"table {model.table} cannot be read", [fault])
    if not 0 < positives < mature:
        said = f"{positives:,} of {mature:,} mature rows are positive"
        raise Invalid(f"{model.name} cannot be trained", [Fault(model.target.column, said, "both classes")])
    names = dict.fromkeys((model.time, model.target.column, *model.inputs, *model.columns))
    chosen = [f.col(_quoted(name)) for name in names]
    rows = inside.where(is_mature).select(*chosen, label.cast("int").alias(_LABEL))
    return rows, Learnt(_moment(start), _moment(end), mature, positives, total - mature)


def _labels(model: Model, delay_us: int) -> tuple["Column", "Column"]:
    from pyspark.sql import functions as f

    given = f.col(_quoted(model.target.column)).cast("double")
    label = given == 1
    if model.target.time:
        arrived = f.unix_micros(f.col(_quoted(model.target.time)).cast("timestamp"))
        label = label & f.coalesce(arrived - f.col(_AT) <= delay_us, f.lit(False))
    return label, f.coalesce(given.isin(0.0, 1.0), f.lit(False))


def _vocabularies(model: Model, rows: "DataFrame") -> dict[str, dict[str, int]]:
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    features = tuple(one for one in model.features if not is_plain(one))
    if not features:
        return {}
    each = rows.mapInArrow(KeyCounts(features), "feature string, key string, rows bigint")
    counts = each.groupBy("feature", "key").agg(f.sum("rows").alias("rows"))
    # As many as a vocabulary holds, in its own order, whatever the number of keys.
    order = Window.partitionBy("feature").orderBy(f.desc("rows"), "key")
    largest = counts.withColumn("place", f.row_number().over(order)).where(f.col("place") <= LARGEST_VOCABULARY)
    found: dict[str, dict[str, int]] = {one.name: {} for one in features}
    for row in largest.collect():
        found[row["feature"]][row["key"]] = int(row["rows"])
    return {name: most_frequent(counted) for name, counted in found.items()}


def _fitted(
    model: Model, rows: "DataFrame", vocabularies: Mapping[str, Mapping[str, int]]
) -> tuple[Trees, Callable[[Any], Any]]:
    from xgboost import DMatrix
    from xgboost.spark import SparkXGBClassifier

    names = [f"f{place}" for place in range(len(model.features))]
    schema = ", ".join(f"{name} double" for name in (*names, "label"))
    matrix = rows.mapInArrow(Matrices(model.features, vocabularies), schema)
    # The same rows in the same order on the same workers: the same sums, and so the same trees.
    matrix = matrix.repartition(WORKERS, *names).sortWithinPartitions(*names, "label")
    given = {
        name: value for name, value in model.estimator.get_params().items() if value is not None and name not in _OWN
    }
    given.setdefault("random_state", model.seed)
    learner = SparkXGBClassifier(features_col=names, label_col="label", num_workers=WORKERS, verbosity=0, **given)
    booster = learner.fit(matrix).get_booster()
    text = boosted_text(bytes(booster.save_raw("json")), len(names))
    return Trees(model.features, vocabularies, text), lambda asked: booster.predict(
        DMatrix(asked, feature_names=booster.feature_names)
    )


def _sample(model: Model, rows: "DataFrame", learnt: Learnt) -> TrainingRows:
    """The same rows each time: chosen by what they hold, in order of time."""
    from pyspark.sql import functions as f

    every = max(1, learnt.count // SAMPLE_ROWS)
    chosen = rows.where(f.pmod(f.xxhash64(*map(_quoted, rows.columns)), f.lit(every)) == 0) if every > 1 else rows
    table = chosen.orderBy(_quoted(model.time), *map(_quoted, rows.columns)).toArrow()
    columns = {name: plain_column(table.column(name)) for name in table.column_names}
    labels = columns.pop(_LABEL).astype(np.bool_)
    return TrainingRows(columns, labels, learnt.start, learnt.end, learnt.immature)


def _hash(rows: "DataFrame") -> str:
    """SHA-256 over an order-free sum of every row's hash, and their number."""
    from pyspark.sql import functions as f

    each = f.xxhash64(*map(_quoted, rows.columns)).cast("decimal(38,0)")
    total = rows.agg(f.sum(each), f.count(f.lit(1))).first()
    return hashlib.sha256(f"{rows.columns}:{tuple(total or ())}".encode()).hexdigest()


def _check(model: Model, trees: Trees, own: Callable[[Any], Any], sample: TrainingRows) -> None:
    from tasuki.models.trees import TreesScorer

    matrix = dense(model.features, trees.vocabularies, sample.columns)
    difference = float(np.abs(TreesScorer(trees).score_columns(sample.columns) - own(matrix)).max())
    if not difference <= LARGEST_DIFFERENCE:
        what = f"the trees as text differ from XGBoost's own scores by {difference:.3g}"
        raise Invalid(f"{model.name} cannot be kept", [Fault("estimator", what, f"at most {LARGEST_DIFFERENCE}")])


@dataclass(frozen=True)
class KeyCounts:
    """Counts each feature's keys in batches of rows; runs on the executors."""

    features: tuple[Feature, ...]

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        """One batch of counts per batch of rows."""
        import pyarrow as pa

        for batch in batches:
            if not batch.num_rows:
                continue
            columns = _columns(batch)
            found: dict[str, list[Any]] = {"feature": [], "key": [], "rows": []}
            for feature in self.features:
                codes, keys = codes_and_keys(feature, columns)
                for key, rows in zip(keys, np.bincount(codes, minlength=len(keys)).tolist(), strict=True):
                    if rows:
                        found["feature"].append(feature.name)
                        found["key"].append(key)
                        found["rows"].append(rows)
            yield pa.RecordBatch.from_pydict(found)


@dataclass(frozen=True)
class Matrices:
    """Turns batches of rows into features and label; runs on the executors."""

    features: tuple[Feature, ...]
    vocabularies: Mapping[str, Mapping[str, int]]

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        """One batch of the matrix per batch of rows."""
        import pyarrow as pa

        for batch in batches:
            if not batch.num_rows:
                continue
            columns = _columns(batch)
            matrix = dense(self.features, self.vocabularies, columns)
            parts = {f"f{place}": pa.array(matrix[:, place]) for place in range(matrix.shape[1])}
            yield pa.RecordBatch.from_pydict({**parts, "label": pa.array(columns[_LABEL].astype(np.float64))})


def _columns(batch: Any) -> dict[str, Any]:
    import pyarrow as pa

    table = pa.Table.from_batches([batch])
    return {name: plain_column(table.column(name)) for name in table.column_names}


def _moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
