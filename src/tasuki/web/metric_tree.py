"""The metrics that a team declares, as a tree: what is essential stands above what is easy to move."""

from collections.abc import Mapping
from dataclasses import dataclass

from litestar import Response, get

from tasuki.actions.metrics import declared_metrics
from tasuki.errors import Fault, Invalid
from tasuki.metrics.metric import Metric
from tasuki.web.site import AnyRequest, page, workspace_of


@dataclass(frozen=True)
class Branch:
    """A metric and those below it."""

    metric: Metric
    below: tuple["Branch", ...]


def tree_of(metrics: Mapping[str, Metric]) -> tuple[Branch, ...]:
    """The metrics under their parents, in the order they are declared; one whose parent is not there stands alone."""

    def under(parent: str | None) -> tuple[Branch, ...]:
        mine = [
            one
            for one in metrics.values()
            if (one.parent == parent if parent is not None else one.parent not in metrics)
        ]
        return tuple(Branch(one, under(one.name)) for one in mine)

    return under(None)


@get("/metrics", sync_to_thread=True, opt={"verb": "metric.list"})
def show_metrics(request: AnyRequest) -> Response[str]:
    """The KPI tree; what is wrong with the declarations is shown in its place."""
    workspace = workspace_of(request)
    faults: tuple[Fault, ...] = ()
    try:
        tree = tree_of(declared_metrics(workspace.folder))
    except Invalid as error:
        tree, faults = (), error.faults
    return page(request, workspace, "metrics.html", {"tree": tree, "faults": faults, "place": "metrics"})


METRICS = (show_metrics,)
