"""`tasuki experiment book|release|ramp`."""

from datetime import date, datetime
from typing import Annotated, Literal

import typer

from tasuki.actions.run_documents import booking_document, ramp_document, release_document
from tasuki.cli.opened import actor_of, opened
from tasuki.cli.options import AsOption, JsonOption, KeyOption, WorkspaceOption
from tasuki.cli.output import console, emit

NameArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="The experiment's name.")]
IdeaOption = Annotated[str | None, typer.Option("--idea", help="Its idea; found by the experiment's name otherwise.")]


def book(
    experiment: NameArgument,
    *,
    idea: Annotated[str, typer.Option("--idea", help="The idea it belongs to.")],
    kind: Annotated[Literal["check", "comparison"], typer.Option("--kind", help="check is A/B 1, comparison A/B 2.")],
    days: Annotated[int | None, typer.Option("--days", help="For how many days; as planned, else a week.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="From which day; the first free one.")
    ] = None,
    lane: Annotated[str, typer.Option("--lane", help="The lane; ab1 for checks, ab2 for comparisons.")] = "",
    queue: Annotated[bool, typer.Option("--queue", help="If the days are taken, the first free ones after.")] = False,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Book days in a lane, or move a booking; refused with who has them where they are taken."""
    from tasuki.actions.booking import BookingRequest, book_experiment

    day: date | None = None if first is None else first.date()
    request = BookingRequest(experiment, kind, days, day, lane, queue)
    with opened(workspace) as here:
        booked = book_experiment(here, idea, request, actor=actor_of(here, member), key=key)
    slot = booked.slot

    def show() -> None:
        place = f", number {booked.position} of those that wait" if booked.position else ""
        console.print(f"{slot.experiment} has {slot.lane} from {slot.first} to {slot.last}{place}.", markup=False)

    emit("experiment_book/1", booking_document(booked), as_json=as_json, for_people=show)


def release(
    experiment: NameArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why the days are not needed; others read it.")],
    idea: IdeaOption = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a booked slot back before it starts; says who could begin sooner now."""
    from tasuki.actions.booking import release_experiment
    from tasuki.actions.start import idea_of_experiment

    with opened(workspace) as here:
        whose = idea or idea_of_experiment(here, experiment)
        released = release_experiment(here, whose, experiment, reason=reason, actor=actor_of(here, member), key=key)

    def show() -> None:
        freed = released.freed
        console.print(f"{experiment} gave {freed.days} day(s) back from {freed.first}.", markup=False)
        for one in released.sooner:
            told = f"{one.slot.experiment} of {one.slot.idea} could begin {one.day} and not {one.slot.first}"
            console.print(
                f"{told}: tasuki experiment book {one.slot.experiment} --idea {one.slot.idea} …", markup=False
            )

    emit("experiment_release/1", release_document(released), as_json=as_json, for_people=show)


def ramp(
    experiment: NameArgument,
    *,
    expose: Annotated[str, typer.Option("--expose", help="The share of its range that takes part, as 0.5 or 50%.")],
    idea: IdeaOption = None,
    workspace: WorkspaceOption = None,
    member: AsOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Expose more of an experiment's range: units are added, and none changes its arm."""
    from tasuki.actions.start import idea_of_experiment, ramp_experiment
    from tasuki.cli.parts import Parts

    parts = Parts()
    share = parts.number("--expose", expose, "a share, as 0.5 or 50%")
    parts.check()
    with opened(workspace) as here:
        whose = idea or idea_of_experiment(here, experiment)
        state = ramp_experiment(here, whose, experiment, share, actor=actor_of(here, member), key=key)
    known = next(one for one in state.experiments if one.name == experiment)

    def show() -> None:
        console.print(f"{experiment} is exposed to {known.exposed:.0%} of its range.", markup=False)

    emit("experiment_ramp/1", ramp_document(state, experiment), as_json=as_json, for_people=show)
