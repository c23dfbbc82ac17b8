"""Reads the files of policies, and refuses what could never be satisfied, or never be chosen."""

from collections.abc import Collection, Sequence
from pathlib import Path

from events.approval import Reminders, Rung, WorkingHours
from services.directory import Directory
from services.policies.definition import ClockFile, PolicyFile, StepFile
from services.policies.policy import AppliesTo, Policy, PolicyStep
from services.policies.satisfying import faults_of
from services.policies.together import Loaded, faults_between
from services.yaml_files.faults import FileInvalid, invalid, parse, read_text
from services.yaml_files.numbered_yaml import Fault


def load_policy(path: Path, people: Directory) -> Policy:
    """Return the policy that a file describes; raises `FileInvalid` with every fault at once.

    `people` are those of `placet.yaml`: a role is somebody's there, or a fault.
    """
    return _loaded(path, people).policy


def load_policies(
    paths: Sequence[Path], people: Directory, channels: Collection[str] | None = None
) -> tuple[tuple[Policy, ...], list[str]]:
    """Return the policies of several files in their order, and all that is wrong with them.

    `channels` are those that there are, if that is known.
    """
    loaded: list[Loaded] = []
    errors: list[str] = []
    for path in paths:
        try:
            loaded.append(_loaded(path, people, channels))
        except FileInvalid as error:
            errors.extend(error.errors)
    # What a file that cannot be read would have held is not known.
    errors.extend(faults_between(loaded, whole=not errors))
    return tuple(one.policy for one in loaded), errors


def _loaded(path: Path, people: Directory, channels: Collection[str] | None = None) -> Loaded:
    file, numbered = parse(read_text(path), str(path), PolicyFile, {})
    policy = _policy(file)
    faults = [Fault(numbered.line(place), said) for place, said in faults_of(file, people)]
    for place, turn in enumerate(policy.notify.order or ()):
        if channels is not None and turn.channel not in channels:
            said = f"notify[{place}]: there is no channel {turn.channel}"
            faults.append(Fault(numbered.line(("notify", place)), said))
    if faults:
        raise invalid(str(path), faults)
    return Loaded(policy, path, numbered)


def _policy(file: PolicyFile) -> Policy:
    hours = _hours(file.clock) if file.clock else None
    day_s = file.day_s
    remind = file.remind
    return Policy(
        name=file.name,
        version=file.version,
        steps=tuple(_step(one) for one in file.steps),
        applies_to=AppliesTo(
            types=file.applies_to.types,
            sources=file.applies_to.sources,
            when=file.applies_to.when,
        ),
        approve_when=file.approve_when,
        reject_when=file.reject_when,
        fallback=file.fallback or (),
        self_approval=file.self_approval,
        reminders=Reminders(
            after_s=remind.after.within(day_s),
            every_s=(remind.every or remind.after).within(day_s),
            most=remind.most,
        )
        if remind
        else None,
        ladder=tuple(
            Rung(after_s=rung.after.within(day_s), to=tuple(one.text for one in rung.to))
            for rung in file.escalate
        ),
        expires_s=file.expires_in.within(day_s) if file.expires_in else None,
        on_timeout=file.on_timeout.how if file.on_timeout else None,
        fallback_policy=file.on_timeout.policy if file.on_timeout else None,
        hours=hours,
        assurance=file.assurance,
        notify=file.notify,
    )


def _step(file: StepFile) -> PolicyStep:
    return PolicyStep(
        name=file.name,
        approvers=file.approvers,
        rule=file.rule.rule,
        number=file.rule.number,
        deny=file.deny,
        when=file.when,
    )


def _hours(file: ClockFile) -> WorkingHours:
    opens, closes = file.hours
    return WorkingHours(
        time_zone=file.time_zone,
        days=file.days,
        opens=opens,
        closes=closes,
        holidays=tuple(sorted(set(file.holidays))),
    )
