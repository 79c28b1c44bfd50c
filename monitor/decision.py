"""Decision: what is done about a verdict, and why."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.action import Action, Ask, Reason, Trigger
from monitor.alert import ENDS, Alert, Judged, alerts, describe, failure
from monitor.checks.score import Check, Status
from monitor.diagnosis import DiagnosisKind
from monitor.model_state import ModelState
from monitor.probation import Judgement, TrialStatus

DEFAULT_NEW_WINDOWS = 2
"""Labelled windows a run needs since the champion's: one decides, so at least one is new to learn
from. With fewer the challenger learns the champion's own rows and cannot be better."""


@dataclass(frozen=True)
class RetrainPolicy:
    """When a run is opened.

    Parameters
    ----------
    when : frozenset of Trigger
        What may open a run.
    every : timedelta
        Longest time between two runs, where `when` has the schedule.
    cooldown : timedelta
        Shortest time between two runs.
    min_labels : int or None
        New labelled rows a run needs; by default two labelled windows, however large.
    new_rows : int or None
        So many labelled rows since the last run open one, where `when` has new rows.
    """

    when: frozenset[Trigger] = frozenset(Trigger)
    every: timedelta = timedelta(days=28)
    cooldown: timedelta = timedelta(days=7)
    min_labels: int | None = None
    new_rows: int | None = None


@dataclass(frozen=True)
class Decision:
    """What is done about a window.

    Parameters
    ----------
    action : Action
        What is done.
    reason : Reason
        Why, as one of few words.
    sentence : str
        Why, in plain words.
    alerts : tuple of Alert
        Alerts that open, go on or end.
    ask : Ask or None
        What is asked for.
    """

    action: Action
    reason: Reason
    sentence: str
    alerts: tuple[Alert, ...]
    ask: Ask | None = None


ASKED = {Action.RETRAIN: Ask.RETRAIN, Action.ROLL_BACK: Ask.ROLL_BACK}


def decide(judged: Judged, state: ModelState, policy: RetrainPolicy, now: datetime) -> Decision:
    """Decide what a verdict leads to.

    A champion that does harm is taken back before anything else. A broken feed holds everything. A
    breach opens a run unless something stands against it, which then is the reason.
    """
    if _has_new_labels(judged):  # the window at hand is not in the store yet
        state = replace(
            state,
            n_new_windows=state.n_new_windows + 1,
            n_new_labels=state.n_new_labels + judged.n_labels,
            n_since_run=state.n_since_run + judged.n_labels,
        )
    found = alerts(judged, state.open_alerts)
    if any(one.check is Check.QUALITY and one.change in ENDS for one in found):
        state = replace(state, incident_open=False)  # the window that ends it is sound itself
    action, reason, sentence = _act(judged, state, policy, now)
    asked = ASKED.get(action) or _ask(judged, state, policy, now)
    return Decision(action, reason, sentence, found, asked)


def _has_new_labels(judged: Judged) -> bool:
    """Tell whether this revision brings a window's labels, in a sound window."""
    sound = judged.diagnosis.kind is not DiagnosisKind.INCIDENT
    return sound and judged.n_labels > 0 and not judged.verdict.provisional


def _ask(judged: Judged, state: ModelState, policy: RetrainPolicy, now: datetime) -> Ask | None:
    """Return what new labels are good for where no run is opened.

    They are the next look at a challenger in the gate. Without one they tell, in a cheap trial,
    whether a run would pay, which no breach may show. Where the schedule or new rows open one
    anyway a trial would only keep it waiting.
    """
    if not _has_new_labels(judged):
        return None
    if state.challenger is not None:
        stopped = state.paused or state.run_pending or state.incident_open or state.waits_since
        return None if stopped else Ask.LOOK
    is_due = _is_due(state, policy, now) or _has_enough(judged, state, policy)
    wanted = Trigger.GAIN in policy.when and not is_due
    wanted = wanted and _against(judged, state, policy, now) is None
    return Ask.TRIAL if wanted else None


def _act(
    judged: Judged, state: ModelState, policy: RetrainPolicy, now: datetime
) -> tuple[Action, Reason, str]:
    if state.judgement is not None and state.judgement.status is TrialStatus.BREACHED:
        return _take_back(state.judgement, paused=state.paused)
    if judged.verdict.status is Status.NO_DATA:
        return Action.NONE, Reason.NOT_ENOUGH_ROWS, "the window has too few rows to judge"
    if judged.diagnosis.kind is DiagnosisKind.INCIDENT:
        sentence = f"{judged.diagnosis.sentence}; not retrained on, fix the feed first"
        return Action.HOLD, Reason.INCIDENT, sentence
    reason, sentence = _trigger(judged, state, policy, now)
    has_fallen = judged.verdict.checks[Check.PERFORMANCE] is Status.BREACH
    waits_for_trial = reason is Reason.TRIED and has_fallen
    against = _against(judged, state, policy, now)
    if reason in _NOTHING_TO_DO and not waits_for_trial:
        if reason is Reason.TRIED and against is not None:
            sentence += f", but not yet: {against[1]}"
        return Action.NONE, reason, sentence
    if against is not None:
        return Action.HOLD, against[0], f"{sentence}; not retrained: {against[1]}"
    action = Action.NONE if waits_for_trial else Action.RETRAIN
    return action, reason, sentence


def _take_back(judgement: Judgement, *, paused: bool) -> tuple[Action, Reason, str]:
    if paused:
        sentence = f"{judgement.sentence}; not rolled back: a person has paused it"
        return Action.HOLD, Reason.PAUSED, sentence
    return Action.ROLL_BACK, Reason.PROBATION, judgement.sentence


_NOTHING_TO_DO = frozenset(
    {Reason.ALL_WELL, Reason.NOT_ASKED, Reason.TRIED, Reason.CHECK_FAILED}
    | {Reason.DECIDED_BEFORE, Reason.WITHIN_LIMITS}
)


def _trigger(
    judged: Judged, state: ModelState, policy: RetrainPolicy, now: datetime
) -> tuple[Reason, str]:
    breaches = list(_breaches(judged, state, policy, now))
    for trigger, reason, sentence in breaches:
        if trigger in policy.when and not _is_left_to_a_trial(trigger, state, policy):
            return reason, sentence
    if breaches:
        trigger, _, sentence = breaches[0]
        if trigger in policy.when:
            return Reason.TRIED, f"{sentence}; whether newer rows help, a trial tells"
        return Reason.NOT_ASKED, f"{sentence}; leeway.yaml does not retrain on this"
    return _no_trigger(judged)


def _breaches(
    judged: Judged, state: ModelState, policy: RetrainPolicy, now: datetime
) -> Iterator[tuple[Trigger, Reason, str]]:
    """Yield what may open a run, the weightiest first."""
    checks, first = judged.verdict.checks, judged.revision == 1
    if checks[Check.PERFORMANCE] is Status.BREACH:
        sentence = describe(judged.verdict, Check.PERFORMANCE)
        yield Trigger.PERFORMANCE, Reason.PERFORMANCE, sentence
    # Inputs do not change with late labels: drift has had its say in the first revision.
    if checks[Check.DRIFT] is Status.BREACH and first:
        yield Trigger.DRIFT, Reason.DRIFT, describe(judged.verdict, Check.DRIFT)
    if first and _is_due(state, policy, now):
        sentence = f"{_days(policy.every)} have passed since the last run"
        yield Trigger.SCHEDULE, Reason.SCHEDULE, sentence
    if _has_enough(judged, state, policy):
        sentence = f"{state.n_since_run} labelled rows have come since the last run"
        yield Trigger.NEW_ROWS, Reason.NEW_ROWS, sentence


def _is_due(state: ModelState, policy: RetrainPolicy, now: datetime) -> bool:
    return Trigger.SCHEDULE in policy.when and now - state.last_run_at >= policy.every


def _has_enough(judged: Judged, state: ModelState, policy: RetrainPolicy) -> bool:
    """Tell whether new labels have made up the number that opens a run."""
    if policy.new_rows is None or Trigger.NEW_ROWS not in policy.when:
        return False
    return _has_new_labels(judged) and state.n_since_run >= policy.new_rows


def _is_left_to_a_trial(trigger: Trigger, state: ModelState, policy: RetrainPolicy) -> bool:
    """Tell whether a trigger says only that something moved, where a trial says what it costs.

    Weather drifts in every window, and retraining on it every time does more harm than good. And a
    champion that has fallen for good falls in every window: what the first run could not mend the
    next one cannot either, until newer rows help.
    """
    if Trigger.GAIN not in policy.when:
        return False
    return trigger is Trigger.DRIFT or (trigger is Trigger.PERFORMANCE and state.is_answered)


def _no_trigger(judged: Judged) -> tuple[Reason, str]:
    if judged.verdict.checks[Check.ESTIMATE] is Status.BREACH:
        sentence = describe(judged.verdict, Check.ESTIMATE)
        return Reason.NOT_ASKED, f"estimated, {sentence}; an estimate alone retrains nothing"
    failed = [failure(score) for score in judged.verdict.scores if score.failed]
    if failed:
        return Reason.CHECK_FAILED, f"not everything could be checked: {failed[0]}"
    if judged.verdict.checks[Check.DRIFT] is Status.BREACH:
        sentence = f"{judged.diagnosis.sentence}; decided when the window was first judged"
        return Reason.DECIDED_BEFORE, sentence
    if judged.diagnosis.kind is DiagnosisKind.CONCEPT:
        return Reason.WITHIN_LIMITS, f"{judged.diagnosis.sentence}; that alone retrains nothing"
    return Reason.ALL_WELL, judged.diagnosis.sentence


def _against(
    judged: Judged, state: ModelState, policy: RetrainPolicy, now: datetime
) -> tuple[Reason, str] | None:
    rest = policy.cooldown - (now - state.last_run_at)
    if policy.min_labels is None:
        n_windows = DEFAULT_NEW_WINDOWS
        enough, wanted = state.n_new_windows >= n_windows, f"{n_windows} labelled windows"
    else:
        enough, wanted = state.n_new_labels >= policy.min_labels, f"{policy.min_labels} labels"
    few = (
        f"only {state.n_new_labels} new labels in {state.n_new_windows} windows since version "
        f"{state.champion} was trained, {wanted} are needed"
    )
    obstacles = (
        (state.paused, Reason.PAUSED, "a person has paused it"),
        (judged.champion != state.champion, Reason.SUPERSEDED, "a newer version serves already"),
        (state.incident_open, Reason.INCIDENT, "an incident is open, fix the feed first"),
        (state.run_pending, Reason.RUN_PENDING, "a run is already asked for"),
        (state.challenger is not None, *_challenged(state)),
        (rest > timedelta(0), Reason.COOLING_DOWN, f"cooling down for another {_days(rest)}"),
        (not enough, Reason.TOO_FEW_LABELS, few),
    )
    return next(((reason, text) for holds, reason, text in obstacles if holds), None)


def _challenged(state: ModelState) -> tuple[Reason, str]:
    one, since = f"version {state.challenger}", state.waits_since
    if since is None:
        return Reason.IN_THE_GATE, f"{one} is in the gate and decided on first"
    return Reason.WAITS_FOR_A_PERSON, f"{one} waits for a person since {since:%d %b %Y}"


def _days(duration: timedelta) -> str:
    days = duration / timedelta(days=1)
    return f"{days:.0f} days" if days >= 2 else f"{days * 24:.0f} hours"  # noqa: PLR2004
