"""What an approval should be, told a second time in plain sets and dictionaries.

It shares no rule with `events`: people count by trying all ways, and votes are words that somebody
said for somebody. The machine holds the core to it after every command.
"""

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from events.approval import AppliedPolicy, Person, Seat
from events.commands import RequestApproval

MONTH = timedelta(days=30)
Answer = Literal["added", "nothing", "refused"]
"""What should come of a command: facts, nothing since it was done already, or a refusal."""


@dataclass
class Chair:
    """A place at a step, for `owner`; `keeper` is who is asked."""

    owner: str
    keeper: str
    groups: frozenset[str]


@dataclass
class Round:
    """A step, as the oracle sees it."""

    rule: str
    needed: int
    deny: int
    groups: tuple[str, ...]
    chairs: list[Chair]


@dataclass(frozen=True)
class Word:
    """What somebody said at a step, for whom."""

    at: int
    who: str
    whose: str
    outcome: str


@dataclass
class Oracle:
    """One approval; `status` as users see it, `deadline` when the time is over at the latest."""

    requester: str
    mirrored: bool
    revision: str
    ends: datetime
    on_timeout: str
    rounds: list[Round]
    named: bool
    own_allowed: bool
    status: str = "pending"
    at: int = 0
    words: list[Word] = field(default_factory=list)
    stopped: datetime | None = None
    returned: bool = False
    questions: set[str] = field(default_factory=set)
    question: str | None = None
    final_word: tuple[str, str] = ("", "")
    held: datetime | None = None
    content: tuple[str, str, frozenset[str]] = ("", "", frozenset())
    shown: set[str] = field(default_factory=set)
    rungs: int = 0
    recalled: bool = False
    version: int = 0
    decision_version: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing more can be decided."""
        return self.status not in ("pending", "deciding")

    @property
    def deadline(self) -> datetime:
        """When the time is over at the latest."""
        return self.ends if self.stopped is None else self.ends + MONTH

    @property
    def waits_for(self) -> set[str]:
        """Who is to do something now."""
        if self.status != "pending":
            return set()
        if self.stopped is not None:
            return {self.requester}
        sat = self.sitting(self.at, self.words)
        spoke = {word.who for word in sat.values()}
        return {
            chair.owner if chair.keeper in spoke else chair.keeper
            for number, chair in enumerate(self.rounds[self.at].chairs)
            if number not in sat
        }

    def barred(self, who: str) -> bool:
        """Tell whether somebody may not decide because they asked."""
        if who != self.requester or self.own_allowed:
            return False
        return self.named or not self.mirrored

    def chair_of(self, who: str, stands_for: Collection[str] = ()) -> int | None:
        """Return the place that somebody would answer for."""
        chairs = self.rounds[self.at].chairs
        own = [number for number, chair in enumerate(chairs) if chair.owner == who]
        if own:
            return own[0]
        others = {who} | (set() if self.barred(who) else set(stands_for))
        theirs = [
            number
            for number, chair in enumerate(chairs)
            if chair.keeper in others or (chair.owner in others and chair.owner != who)
        ]
        sat = self.sitting(self.at, self.words)
        for wanted in (
            [number for number in theirs if number in sat and sat[number].who == who],
            [number for number in theirs if number not in sat],
            theirs,
        ):
            if wanted:
                return wanted[0]
        return None

    def may_answer(self, who: str) -> bool:
        """Tell whether somebody may answer at the step that waits, for themselves or as keeper."""
        return not self.barred(who) and self.chair_of(who) is not None

    def sitting(self, at: int, words: Iterable[Word]) -> dict[int, Word]:
        """Return whose word counts on each chair of a step."""
        last: dict[str, Word] = {}
        for word in words:
            if word.at == at or (word.at < at and word.outcome == "approved"):
                last = {who: one for who, one in last.items() if who != word.who}
                last[word.who] = word
        chairs = self.rounds[at].chairs
        owners = {chair.owner for chair in chairs}
        sat = {
            number: last[chair.owner] for number, chair in enumerate(chairs) if chair.owner in last
        }
        taken = set(sat)
        for who, word in last.items():
            if who in owners:
                continue
            free = [number for number in range(len(chairs)) if number not in taken]
            meant = [number for number in free if chairs[number].owner == word.whose]
            kept = [number for number in free if chairs[number].keeper == who]
            for number in (meant or kept)[:1]:
                sat[number] = word
        return sat

    def verdict(self, at: int, words: Iterable[Word]) -> str | None:
        """Return how a step ended, if it did."""
        chairs = self.rounds[at].chairs
        sat = self.sitting(at, words)
        yes: dict[str, set[str]] = {}
        for number, word in sat.items():
            if word.outcome == "approved":
                yes.setdefault(word.who, set()).update(chairs[number].groups)
        no = {word.who for word in sat.values() if word.outcome == "rejected"}
        still = {who: set(groups) for who, groups in yes.items()}
        for number, chair in enumerate(chairs):
            if number not in sat:
                still.setdefault(chair.owner, set()).update(chair.groups)
        if self._met(at, yes):
            return "approved"
        if len(no) >= self.rounds[at].deny or not self._met(at, still):
            return "rejected"
        return None

    def _met(self, at: int, yes: Mapping[str, Collection[str]]) -> bool:
        one = self.rounds[at]
        if one.rule != "each":
            return len(yes) >= one.needed
        return any(
            all(group in yes[who] for group, who in zip(one.groups, people, strict=True))
            for people in itertools.permutations(yes, len(one.groups))
        )

    def vote(
        self,
        who: str,
        outcome: str,
        *,
        now: datetime,
        stands_for: Collection[str] = (),
        revision: str | None = None,
        held: datetime | None = None,
    ) -> Answer:
        """Somebody answers; what settles it is held for a while."""
        said = {(word.who, word.outcome) for word in self.words}
        if self.status in ("deciding", "approved", "rejected"):
            return "nothing" if (who, outcome) in said | {self.final_word} else "refused"
        if self.over:
            return "refused"
        number = self.chair_of(who, stands_for)
        if number is None:
            return "nothing" if (who, outcome) in said else "refused"
        if self.barred(who) or revision not in (None, self.revision) or now >= self.deadline:
            return "refused"
        owner = self.rounds[self.at].chairs[number].owner
        before = self.sitting(self.at, self.words).get(number)
        if before is not None and (before.who, before.outcome) == (who, outcome):
            return "nothing"
        if (before is not None and before.who == owner != who) or self.returned:
            return "refused"
        self._heard(Word(self.at, who, owner, outcome), now, held)
        return "added"

    def takes_back(self, who: str, *, now: datetime) -> Answer:
        """Somebody takes back what they answered."""
        if self.status == "pending":
            return "nothing"
        mine = self.status == "deciding" and self.final_word[0] == who
        if not mine or self.held is None or now >= self.held:
            return "refused"
        self.status = "pending"
        return "added"

    def _heard(self, word: Word, now: datetime, held: datetime | None) -> None:
        words = [
            one
            for one in self.words
            if one.at != word.at or (one.who != word.who and one.whose != word.whose)
        ]
        words.append(word)
        at, end = word.at, self.verdict(word.at, words)
        while end == "approved" and at + 1 < len(self.rounds):
            at += 1
            end = self.verdict(at, words)
        if end == word.outcome:
            self.answered(word.who, word.outcome, held)
            return
        if at != self.at:
            self.rungs = 0
        self.words, self.at = words, at
        self._goes_on(now)

    def answered(self, who: str, outcome: str, held: datetime | None = None) -> None:
        self.final_word, self.held = (who, outcome), held
        self.status = "deciding" if self.mirrored or held else outcome

    def _goes_on(self, now: datetime, until: datetime | None = None) -> None:
        if until is not None:
            self.ends = until
        elif self.stopped is not None:
            self.ends += max(timedelta(), min(now - self.stopped, MONTH))
        self.stopped, self.question, self.returned = None, None, False

    def asks_back(self, who: str, question: str, wants: str, *, now: datetime) -> Answer:
        """Somebody who may answer asks the requester, or returns it."""
        if self.status != "pending":
            return "refused"
        if question in self.questions:
            return "nothing"
        if not self.may_answer(who) or now >= self.deadline or self.stopped is not None:
            return "refused"
        if wants == "changes" and self.mirrored:
            return "refused"
        self.stopped, self.question, self.returned = now, question, wants == "changes"
        self.questions.add(question)
        return "added"

    def answers_back(self, who: str, question: str, *, now: datetime, until: datetime) -> Answer:
        """The requester answers."""
        if self.status != "pending":
            return "refused"
        if question != self.question:
            return "nothing" if question in self.questions else "refused"
        if who != self.requester:
            return "refused"
        self._goes_on(now, until)
        return "added"

    def revised(self, ask: RequestApproval, revision: str, *, by_requester: bool) -> None:
        """What is asked changed: everything begins anew, and the time goes on."""
        assert revision not in self.shown, "a revision stands for two contents"
        self.shown.add(revision)
        self.content = content_of(ask)
        self.status = "pending"
        self._goes_on(ask.now, ask.expires_at if by_requester else None)
        self.revision, self.on_timeout = revision, ask.on_timeout
        none = AppliedPolicy(name="", version=0, steps=())
        self._follow(ask.policy or none, ask.approvers)
        self._begin_anew()

    def taken_over(self, policy: AppliedPolicy, until: datetime, on_timeout: str) -> None:
        """Another policy takes over since the time was over."""
        self._follow(policy)
        self._begin_anew()
        self.stopped, self.question, self.returned = None, None, False
        self.ends, self.on_timeout = until, on_timeout

    def _begin_anew(self) -> None:
        self.at, self.words, self.rungs = 0, [], 0

    def _follow(self, policy: AppliedPolicy, people: Iterable[Person] = ()) -> None:
        self.rounds = rounds_of(policy, people)
        self.named, self.own_allowed = policy.name != "", policy.self_approval

    def passed_on(self, person: str, to: str, cause: str) -> None:
        """Somebody else is asked in the place of a person."""
        for at in range(self.at, len(self.rounds)):
            chairs = self.rounds[at].chairs
            if any(to in (chair.owner, chair.keeper) for chair in chairs):
                continue
            sat = self.sitting(at, self.words)
            for number, chair in enumerate(chairs):
                if number in sat or person not in (chair.owner, chair.keeper):
                    continue
                if person == chair.owner and cause != "delegated":
                    chair.owner = to
                chair.keeper = to

    def joined(self, seats: Iterable[Seat]) -> None:
        """Others are asked as well."""
        self.rungs += 1
        self.rounds[self.at].chairs.extend(chair_at(seat) for seat in seats)

    def runs_out(self, now: datetime) -> str | None:
        """Return how it ends for the time being over; None if it is not, or is answered."""
        if self.status != "pending" or now < self.deadline:
            return None
        if self.mirrored or self.on_timeout in ("expire", "fallback"):
            return "expired"
        return "approved" if self.on_timeout == "approve" else "rejected"


def chair_at(seat: Seat) -> Chair:
    """Return a seat as a chair."""
    return Chair(
        owner=seat.person.email,
        keeper=(seat.held_by or seat.person).email,
        groups=frozenset(seat.groups),
    )


def rounds_of(policy: AppliedPolicy, people: Iterable[Person]) -> list[Round]:
    """Return the steps of a policy; one of any of the people where it has none."""
    if not policy.steps:
        chairs = [Chair(one.email, one.email, frozenset()) for one in people]
        return [Round("any", 1, 1, (), chairs)]
    return [
        Round(
            step.rule,
            step.needed,
            step.deny,
            step.groups,
            [chair_at(seat) for seat in step.seats],
        )
        for step in policy.steps
    ]


def oracle_of(ask: RequestApproval) -> Oracle:
    """Return what an ask should be at its beginning."""
    policy = ask.policy or AppliedPolicy(name="", version=0, steps=())
    return Oracle(
        requester=ask.about.requester.email,
        mirrored=ask.about.source is not None,
        revision=ask.about.revision,
        ends=ask.expires_at,
        on_timeout=ask.on_timeout,
        rounds=rounds_of(policy, ask.approvers),
        named=policy.name != "",
        own_allowed=policy.self_approval,
        content=content_of(ask),
    )


def content_of(ask: RequestApproval) -> tuple[str, str, frozenset[str]]:
    """Return what an approver sees of an ask."""
    return (
        ask.about.payload_digest,
        ask.about.title,
        frozenset(person.email for person in ask.approvers),
    )
