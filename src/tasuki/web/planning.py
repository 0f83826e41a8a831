"""Registering A/B 2 on a page: what decides, how small an effect is worth finding, when it ends."""

from typing import Any, Literal
from urllib.parse import quote

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from tasuki.errors import Fault, Invalid, TasukiError, said
from tasuki.experiments.registered import PlanRequest
from tasuki.experiments.start import CHANNELS, TREATMENT
from tasuki.flow.lint import read_metric
from tasuki.flow.rights import require_at_work
from tasuki.flow.state import IdeaState
from tasuki.web.acting import barred_from, form_key
from tasuki.web.forms import Form
from tasuki.web.offered import known_metrics
from tasuki.web.problems import status_of
from tasuki.web.rest.calculations import one_of_few
from tasuki.web.site import AnyRequest, page, workspace_of
from tasuki.web.visitors import form_of, visitor_of

USUAL = {"shares": "50%", "power": "80%", "alpha": "5%"}
"""What a plan says where nobody wants something else, as on the command line."""
LOOKING: dict[str, Literal["none", "always_valid"]] = {"none": "none", "always_valid": "always_valid"}
ROLES = ("secondary", "guardrail")
WORDS = ("rule", "stop_rule", "interactions")
_NEEDED = ("experiment", "model", "primary", "mde", *WORDS)


@get("/ideas/{idea:str}/plan", sync_to_thread=True, opt={"verb": "experiment.plan"})
def show_plan_form(request: AnyRequest, idea: FromPath[str]) -> Response[str]:
    """The form of a plan, with what the idea says already."""
    workspace = workspace_of(request)
    state, named = workspace.ledger.state(idea), request.query_params.get("experiment") or ""
    return _plan_page(request, state, Form(plan_draft(state, named, tuple(_primary_of(request, state)))))


@post("/ideas/{idea:str}/plan", sync_to_thread=True, opt={"verb": "experiment.plan"})
def do_plan(request: AnyRequest, idea: FromPath[str]) -> Response[Any]:
    """Registers A/B 2, sized on the team's own data; where it fails the form comes back as it was typed."""
    from tasuki.actions.comparison import plan_experiment

    workspace, form, who = workspace_of(request), form_of(request), visitor_of(request).member
    faults = form.too_long()
    wish = plan_in(form, tuple(known_metrics(workspace)), faults)
    try:
        # The right is asked for before the fields: whoever may not register anything need not mend them.
        state = workspace.ledger.state(idea)
        require_at_work(state, workspace.act(who), state.stage, said("plan an A/B 2"))
        if faults or wish is None:
            raise Invalid("the experiment cannot be registered", faults)
        with one_of_few():
            plan_experiment(workspace, idea, wish, actor=who, key=form_key(request))
    except TasukiError as error:
        return _plan_page(request, workspace.ledger.state(idea), form, error)
    is_booked = any(one.name == wish.experiment for one in state.experiments)
    onward = f"/experiments/{quote(wish.experiment)}" if is_booked else f"/ideas/{quote(idea)}"
    return Redirect(onward, status_code=303)


def _primary_of(request: AnyRequest, state: IdeaState) -> list[str]:
    """The declared metric that the hypothesis is about, where it is one."""
    brief = state.latest("hypothesis_brief")
    read = None if brief is None else read_metric(brief.record["metric"], known_metrics(workspace_of(request)))
    return [read.name] if read is not None and read.name else []


def _plan_page(request: AnyRequest, state: IdeaState, form: Form, error: TasukiError | None = None) -> Response[str]:
    workspace = workspace_of(request)
    act = workspace.act(visitor_of(request).member)
    barred = barred_from(lambda: require_at_work(state, act, state.stage, said("plan an A/B 2")))
    context = {
        "state": state,
        "barred": barred,
        "problem": error or barred,
        "faults": getattr(error, "faults", ()),
        "typed": form,
        "metrics": tuple(known_metrics(workspace)),
        "roles": ROLES,
        "looking": tuple(LOOKING),
        "words": WORDS,
        "place": "experiments",
    }
    return page(request, workspace, "plan.html", context, 200 if error is None else status_of(error))


def plan_draft(state: IdeaState, experiment: str, primary: tuple[str, ...]) -> dict[str, list[str]]:
    """The fields of a plan as far as the idea's hypothesis and newest model card have them."""
    card, brief = state.latest("model_card"), state.latest("hypothesis_brief")
    size = None if brief is None else brief.record["expected_size"]
    return {
        **{name: [value] for name, value in USUAL.items()},
        "experiment": [experiment],
        "model": [str(card.record["model"]) if card else ""],
        "primary": list(primary),
        "mde": [f"{100 * abs(size):.10g}%" if size else ""],
    }


def plan_in(form: Form, metrics: tuple[str, ...], faults: list[Fault]) -> PlanRequest | None:
    """What a form wants to register; None, with every fault, where it cannot be said.

    Args:
        form: What was typed.
        metrics: The declared metrics, each of which may have a role besides the primary one.
        faults: What is wrong is added here.
    """
    faults += [Fault(name, "missing") for name in _NEEDED if not form.text(name)]
    mde, share = form.number("mde", faults), form.percent("shares", faults)
    power, alpha = form.percent("power", faults), form.percent("alpha", faults)
    guardrails = {name: _margin(form, name, faults) for name in metrics if form.text(f"role.{name}") == "guardrail"}
    days, delay = form.whole("days", faults), form.whole("label_delay_days", faults)
    units_per_day, first_day = form.number("units_per_day", faults), form.day("first_day", faults)
    baseline, variance = form.number("baseline", faults), form.number("variance", faults)
    if faults or mde is None:
        return None
    treatment = 0.5 if share is None else share
    control = next(arm for arm in CHANNELS if arm != TREATMENT)
    return PlanRequest(
        experiment=form.text("experiment"),
        model=form.text("model"),
        primary=form.text("primary"),
        guardrails=guardrails,
        minimal_detectable_effect=mde,
        rule=form.text("rule"),
        stop_rule=form.text("stop_rule"),
        interactions=form.text("interactions"),
        secondary=tuple(name for name in metrics if form.text(f"role.{name}") == "secondary"),
        arms={control: round(1 - treatment, 12), TREATMENT: treatment},
        power=0.8 if power is None else power,
        alpha=0.05 if alpha is None else alpha,
        days=days,
        units_per_day=units_per_day,
        sequential=LOOKING.get(form.text("sequential"), "none"),
        exclusions=tuple(line.strip() for line in form.text("exclusions").split("\n") if line.strip()),
        label_delay_days=delay or 0,
        first_day=first_day,
        baseline=baseline,
        variance=variance,
    )


def _margin(form: Form, metric: str, faults: list[Fault]) -> float:
    where = f"margin.{metric}"
    if not form.text(where):
        faults.append(Fault(where, "missing", "the loss that is accepted, as 2%"))
    return form.number(where, faults) or 0.0


PLANNING = (show_plan_form, do_plan)
