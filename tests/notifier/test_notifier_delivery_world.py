"""The notifier keeps to what people want: staggers, is quiet, follows changes, tells outcomes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.channels import ChannelUnavailable, Recipient
from services.channels.digest import Digest
from services.channels.inbox import InboxChannel
from services.directory import Directory, Member
from services.directory.preferences import Defaults, Preferences, Quiet, Turn
from services.policies import Policies, Policy
from services.policies.policy import AppliesTo
from tests.notifier.fakes import (
    AMARA,
    BO,
    CAROL,
    JANE,
    WORKSPACE,
    FakeChannel,
    World,
    step,
)

MINUTE, HOUR = 60.0, 3600.0
NIGHT = Quiet(begins=22 * 60, ends=7 * 60)
SLACK_THEN_MAIL = Preferences(order=(Turn("slack"), Turn("mail", 15 * MINUTE)))


class People:
    """A directory that a test changes."""

    def __init__(self) -> None:
        self.directory = Directory()

    def of(self, workspace: str) -> Directory:
        return self.directory if workspace == WORKSPACE else Directory()

    def know(self, *members: Member) -> None:
        self.directory = replace(self.directory, members={one.email: one for one in members})

    def prefer(self, email: str, preferences: Preferences) -> None:
        said = {**self.directory.preferences, email: preferences}
        self.directory = replace(self.directory, preferences=said)


class Lists(FakeChannel):
    """A channel that can send digests."""

    def __init__(self, name: str = "mail") -> None:
        super().__init__(name)
        self.digests: list[tuple[str, Digest]] = []

    async def send_digest(
        self,
        digest: Digest,
        *,
        to: Recipient,
        workspace: str,  # noqa: ARG002 # there is one
        idempotency_key: str,  # noqa: ARG002 # it repeats what is sent twice
    ) -> None:
        error = self.trouble("digest", "")
        if error is not None:
            raise error
        self.digests.append((to.email, digest))
        error = self.after_send()
        if error is not None:
            raise error


class Told:
    """A world with people in it, and with two channels."""

    def __init__(self, defaults: Defaults | None = None, *policies: Policy) -> None:
        self.people = People()
        self.slack, self.mail = FakeChannel("slack"), Lists("mail")
        self.world = World(
            [InboxChannel(), self.slack, self.mail],
            directories=self.people,
            defaults=defaults or Defaults(),
            policies=Policies(workspace=WORKSPACE, policies=policies),
        )

    async def ask(self, *approvers: object, urgency: str = "low", **more: object) -> str:
        """Ask, tell, and let the queue show it."""
        world = self.world
        approval_id = f"{len(world.ids) + 1:027d}"
        world.ids.append(approval_id)
        people = approvers or (AMARA,)
        ask = replace(world.asking(*people, **more), urgency=urgency)  # type: ignore[arg-type]
        await world.do(approval_id, ask)
        await world.deliver()
        for one in people:
            world.backlog.queue.setdefault((WORKSPACE, one.email), []).append(approval_id)  # type: ignore[attr-defined]
        return approval_id

    async def after(self, seconds: float) -> None:
        """Let time pass, and the notifier take up what is due then."""
        self.world.clock.forward(seconds)
        for _ in range(10):
            if not await self.world.notifier.retry_due():
                return
            await self.world.deliver()
            self.world.clock.forward(2)
        raise AssertionError("something is taken up again and again")

    def at(self, hour: int, minute: int = 0) -> None:
        """Let it be a time of the day, today or tomorrow."""
        now = self.world.clock.now
        there = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        self.world.clock.now = there if there >= now else there + timedelta(days=1)

    async def change(self, email: str, preferences: Preferences) -> None:
        """Let somebody change how they are told, as `KeptPreferences.put` does."""
        changed = replace(preferences, changed_at=self.world.clock.now)
        self.people.prefer(email, changed)
        for effect, held in self.world.effects.held.items():
            if effect.effect == f"card_later:{email}" and held.state == "started":
                held.due_at = min(held.due_at, self.world.clock.now)

    def open_effects(self) -> list[str]:
        return [name for name, state in self.world.effects.states().items() if state == "started"]


async def staggered() -> tuple[Told, str]:
    told = Told()
    told.people.prefer(AMARA.email, SLACK_THEN_MAIL)
    return told, await told.ask()


async def test_slack_goes_out_now_and_email_only_if_it_still_waits() -> None:
    told, approval_id = await staggered()
    assert (told.slack.sends, told.mail.sends) == ([AMARA.email], [])
    await told.after(14 * MINUTE)
    assert told.mail.sends == []
    await told.after(MINUTE + 2)
    assert told.mail.sends == [AMARA.email]
    await told.world.replay()
    told.world.restart()
    await told.world.replay()
    await told.after(2 * HOUR)
    assert (told.slack.sends, told.mail.sends) == ([AMARA.email], [AMARA.email])
    assert told.open_effects() == [], "nothing is looked at for ever"
    assert await told.world.types(approval_id) == ["requested", "notified", "notified", "notified"]


@pytest.mark.parametrize("how", ["answer", "withdraw", "settle_in_source", "expire"])
async def test_an_email_that_was_to_follow_is_not_sent_once_it_is_settled(how: str) -> None:
    told, approval_id = await staggered()
    if how == "settle_in_source":
        told = Told()
        told.people.prefer(AMARA.email, SLACK_THEN_MAIL)
        approval_id = await told.ask(source="expenses")
    await getattr(told.world, how)(approval_id)
    await told.world.deliver()
    await told.after(HOUR)
    assert told.mail.sends == []
    assert told.open_effects() == []


async def test_an_email_that_was_to_follow_is_not_sent_to_who_has_answered() -> None:
    told = Told()
    for one in (AMARA, BO):
        told.people.prefer(one.email, SLACK_THEN_MAIL)
    approval_id = await told.ask(AMARA, BO, steps=(step(AMARA, BO, needed=2),))
    await told.world.answer(approval_id, AMARA)
    await told.after(HOUR)
    assert told.mail.sends == [BO.email]


async def test_a_new_revision_begins_to_count_anew() -> None:
    told = Told()
    told.people.prefer(AMARA.email, SLACK_THEN_MAIL)
    approval_id = await told.ask(source="expenses")
    await told.after(10 * MINUTE)
    await told.world.revise(approval_id, source="expenses", revision="2", payload={"a": 1})
    await told.world.deliver()
    await told.after(10 * MINUTE)
    assert (told.slack.sends, told.mail.sends) == ([AMARA.email] * 2, [])
    await told.after(6 * MINUTE)
    assert told.mail.sends == [AMARA.email]


async def test_two_notifiers_send_what_waited_once() -> None:
    told, _ = await staggered()
    first = told.world.notifier
    told.world.restart()
    told.world.clock.forward(16 * MINUTE)
    await first.retry_due()
    await told.world.notifier.retry_due()
    await first.retry_due()
    assert told.mail.sends == [AMARA.email]


async def test_who_is_reached_on_no_channel_leaves_nothing_to_do() -> None:
    told = Told()
    for channel in (told.slack, told.mail):
        channel.out_of_reach.add(AMARA.email)
    approval_id = await told.ask()
    assert told.slack.sends + told.mail.sends == []
    assert told.open_effects() == []
    assert await told.world.types(approval_id) == ["requested", "notified"], "by the inbox"


async def test_a_card_waits_for_the_end_of_quiet_hours_unless_it_is_urgent() -> None:
    told = Told(Defaults(workspace=WORKSPACE, preferences=Preferences(quiet_hours=(NIGHT,))))
    told.at(23)
    urgent = await told.ask(urgency="high")
    calm = await told.ask()
    assert told.slack.sends == [AMARA.email]
    assert {one.approval_id for one in told.slack.messages.values()} == {urgent}
    for _ in range(7):
        await told.after(HOUR)
    assert len(told.slack.sends) == 1
    told.at(7)
    await told.after(5)
    assert {one.approval_id for one in told.slack.messages.values()} == {urgent, calm}


async def test_a_channel_that_was_away_is_not_tried_again_in_quiet_hours() -> None:
    told = Told()
    told.people.prefer(AMARA.email, Preferences(quiet_hours=(NIGHT,), order=(Turn("slack"),)))
    told.at(21, 59)
    told.slack.trouble = lambda _what, _id: ChannelUnavailable("down")
    await told.ask()
    told.slack.trouble = lambda _what, _id: None
    for _ in range(20):
        told.world.clock.forward(20 * MINUTE)
        await told.world.notifier.retry_due()
    assert told.slack.sends == []
    told.at(7)
    await told.after(HOUR)
    assert told.slack.sends == [AMARA.email]


async def test_a_reminder_at_night_comes_in_the_morning_and_not_to_who_wants_none() -> None:
    told = Told()
    for one in (AMARA, BO):
        told.people.prefer(one.email, Preferences(quiet_hours=(NIGHT,)))
    approval_id = await told.ask(AMARA, BO, steps=(step(AMARA, BO, needed=2),))
    await told.change(BO.email, Preferences(silent=True))
    told.at(23)
    await told.world.remind(approval_id)
    await told.world.deliver()
    assert told.slack.reminders == {}
    told.at(7)
    await told.after(5)
    await told.world.replay()
    assert [to for to, _ in told.slack.reminders.values()] == [AMARA.email]


async def test_a_question_waits_for_the_requesters_morning() -> None:
    told = Told()
    told.people.prefer(JANE.email, Preferences(quiet_hours=(NIGHT,), order=(Turn("slack"),)))
    told.at(23)
    approval_id = await told.ask()
    await told.world.ask_back(approval_id, "Who was there?")
    await told.world.deliver()
    assert JANE.email not in told.slack.sends
    told.at(7)
    await told.after(5)
    assert told.slack.sends.count(JANE.email) == 1
    assert JANE.email not in told.mail.sends


async def test_what_waits_follows_a_change_and_nobody_is_told_again() -> None:
    told = Told()
    told.people.prefer(AMARA.email, Preferences(order=(Turn("slack", 4 * HOUR),)))
    await told.ask()
    await told.after(HOUR)
    assert told.slack.sends == []
    await told.change(AMARA.email, Preferences(order=(Turn("slack"),)))
    await told.after(5)
    assert told.slack.sends == [AMARA.email]
    await told.change(AMARA.email, Preferences(order=(Turn("mail"),)))
    await told.after(5)
    await told.world.replay()
    await told.after(2 * HOUR)
    assert (told.slack.sends, told.mail.sends) == ([AMARA.email], [])
    await told.ask()
    assert told.mail.sends == [AMARA.email], "what is asked from now on follows the new order"


async def test_who_turns_silent_is_not_told_of_what_waited() -> None:
    told, _ = await staggered()
    await told.change(AMARA.email, Preferences(silent=True))
    await told.after(HOUR)
    assert told.mail.sends == []


def policy(notify: Preferences) -> Policy:
    return Policy(name="expenses", version=1, steps=(), applies_to=AppliesTo(), notify=notify)


async def test_a_policy_may_tell_nobody_or_by_email_only() -> None:
    silent = Told(None, policy(Preferences(silent=True)))
    await silent.ask(steps=(step(AMARA),), urgency="high")
    await silent.ask()
    assert silent.slack.sends == [AMARA.email], "only of what is under no policy"
    only = Told(None, policy(Preferences(order=(Turn("mail"),))))
    only.people.prefer(AMARA.email, SLACK_THEN_MAIL)
    await only.ask(steps=(step(AMARA),))
    assert (only.slack.sends, only.mail.sends) == ([], [AMARA.email])


async def test_of_another_workspace_the_files_policies_and_defaults_say_nothing() -> None:
    silent = Preferences(silent=True)
    elsewhere = Told(Defaults(workspace="elsewhere", preferences=silent))
    await elsewhere.ask()
    assert elsewhere.slack.sends == [AMARA.email]


DAILY = Preferences(digest=(9 * 60, 16 * 60), order=(Turn("slack"), Turn("mail")))


async def test_a_digest_lists_what_waits_once_and_says_so_in_the_history() -> None:
    told = Told()
    told.people.prefer(AMARA.email, DAILY)
    waits, settled = await told.ask(), await told.ask()
    urgent = await told.ask(urgency="high", title="Urgent")
    assert told.slack.sends == [AMARA.email], "what is urgent comes singly"
    await told.world.answer(settled)
    await told.world.deliver()
    assert await told.world.notifier.send_digests() == 0, "it is not yet the time"
    told.at(16)
    await told.world.notifier.send_digests()
    other = told.world.notifier
    queue = told.world.backlog.queue
    told.world.restart()
    told.world.backlog.queue = queue
    await told.world.notifier.send_digests()
    await other.send_digests()
    [(reader, digest)] = told.mail.digests
    assert reader == AMARA.email
    assert [card.approval_id for card in digest.cards] == [waits, urgent]
    assert digest.count == 2
    assert digest.link == "https://placet.example.com/inbox"
    assert "notified" in (await told.world.types(waits))[2:], "the history says that they were told"
    told.at(9)
    await told.world.notifier.send_digests()
    assert len(told.mail.digests) == 2
    assert told.mail.sends == [AMARA.email], "the urgent one alone"


async def test_no_digest_where_nothing_waits_and_none_to_who_is_silent() -> None:
    told = Told(Defaults(workspace=WORKSPACE, preferences=DAILY))
    told.people.prefer(BO.email, Preferences(silent=True))
    answered = await told.ask()
    await told.ask(BO)
    await told.ask(CAROL)
    await told.world.answer(answered)
    await told.world.deliver()
    told.at(16)
    await told.world.notifier.send_digests()
    assert [reader for reader, _ in told.mail.digests] == [CAROL.email]


async def test_a_long_list_is_cut_and_counted() -> None:
    told = Told()
    told.people.prefer(AMARA.email, DAILY)
    for _ in range(27):
        await told.ask()
    told.at(16)
    await told.world.notifier.send_digests()
    [(_, digest)] = told.mail.digests
    assert (len(digest.cards), digest.more) == (25, 2)


async def test_a_digest_that_may_have_arrived_is_not_sent_again() -> None:
    told = Told()
    told.people.prefer(AMARA.email, DAILY)
    await told.ask()
    told.at(16)
    told.mail.after_send = lambda: ChannelUnavailable("the connection broke")
    await told.world.notifier.send_digests()
    told.mail.after_send = lambda: None
    for _ in range(10):
        told.world.clock.forward(MINUTE)
        await told.world.notifier.send_digests()
    assert len(told.mail.digests) == 1


async def test_a_digest_that_never_left_is_sent_when_the_channel_is_back() -> None:
    told = Told()
    told.people.prefer(AMARA.email, DAILY)
    await told.ask()
    told.at(16)
    told.mail.trouble = lambda _what, _id: ChannelUnavailable("no connection", not_sent=True)
    await told.world.notifier.send_digests()
    told.mail.trouble = lambda _what, _id: None
    told.world.clock.forward(MINUTE)
    await told.world.notifier.send_digests()
    await told.world.notifier.send_digests()
    assert len(told.mail.digests) == 1


async def test_who_leaves_digests_is_not_told_again_of_what_was_listed() -> None:
    told = Told()
    told.people.prefer(AMARA.email, DAILY)
    await told.ask()
    told.at(16)
    await told.world.notifier.send_digests()
    fresh = await told.ask()
    await told.change(AMARA.email, Preferences(order=(Turn("mail"),)))
    await told.after(HOUR + 5)
    assert [one.approval_id for one in told.mail.messages.values()] == [fresh]


KNOWN = Member(email=JANE.email, name="Jane Doe")


async def test_the_requester_is_told_the_outcome_once_on_their_first_channel() -> None:
    told = Told()
    told.people.know(KNOWN)
    told.people.prefer(JANE.email, Preferences(order=(Turn("mail"), Turn("slack"))))
    approval_id = await told.ask()
    assert JANE.email not in told.mail.sends
    await told.world.answer(approval_id)
    await told.world.deliver()
    await told.world.replay()
    told.world.restart()
    await told.world.replay()
    await told.after(HOUR)
    assert told.mail.sends.count(JANE.email) == 1
    assert JANE.email not in told.slack.sends
    card = told.mail.card_of(JANE.email)
    assert card.status.startswith("Approved by amara@example.com")
    assert (card.asks, card.shown) == (None, "settled")
    assert told.open_effects() == []


@pytest.mark.parametrize(
    ("members", "preferences", "mirrored", "how"),
    [
        pytest.param((), Preferences(), False, "answer", id="a-stranger-such-as-an-agent"),
        pytest.param((replace(KNOWN, active=False),), Preferences(), False, "answer", id="gone"),
        pytest.param((KNOWN,), Preferences(silent=True), False, "answer", id="silent"),
        pytest.param((KNOWN,), Preferences(outcomes=False), False, "answer", id="not-wanted"),
        pytest.param((KNOWN,), Preferences(), False, "withdraw", id="their-own-doing"),
        pytest.param((KNOWN,), Preferences(), True, "settle_in_source", id="of-a-source"),
    ],
)
async def test_others_are_not_told_the_outcome(
    members: tuple[Member, ...],
    preferences: Preferences,
    mirrored: bool,  # noqa: FBT001 # a parameter of the test
    how: str,
) -> None:
    told = Told()
    told.people.know(*members)
    told.people.prefer(JANE.email, preferences)
    approval_id = await told.ask(source="expenses" if mirrored else None)
    await getattr(told.world, how)(approval_id)
    await told.world.deliver()
    await told.after(HOUR)
    assert JANE.email not in told.slack.sends + told.mail.sends


async def test_of_a_record_of_a_source_they_are_told_where_the_file_says_so() -> None:
    told = Told(Defaults(workspace=WORKSPACE, outcomes_of_sources=True))
    told.people.know(KNOWN)
    approval_id = await told.ask(source="expenses")
    await told.world.settle_in_source(approval_id)
    await told.world.deliver()
    assert told.slack.sends.count(JANE.email) == 1


async def test_an_outcome_waits_for_the_morning_and_an_old_one_is_not_told_any_more() -> None:
    told = Told()
    told.people.know(KNOWN)
    told.people.prefer(JANE.email, Preferences(quiet_hours=(NIGHT,)))
    told.at(23)
    tonight, old = await told.ask(), await told.ask()
    await told.world.answer(tonight)
    await told.world.deliver()
    assert JANE.email not in told.slack.sends
    told.at(7)
    await told.after(5)
    assert told.slack.sends.count(JANE.email) == 1
    await told.world.answer(old)
    told.world.clock.forward(25 * HOUR)
    await told.world.deliver()
    assert told.slack.sends.count(JANE.email) == 1


async def test_an_outcome_whose_sending_broke_off_is_found_and_not_sent_twice() -> None:
    told = Told()
    told.people.know(KNOWN)
    approval_id = await told.ask()
    await told.world.answer(approval_id)
    told.slack.after_send = lambda: ChannelUnavailable("the connection broke")
    await told.world.deliver()
    told.slack.after_send = lambda: None
    await told.after(HOUR)
    assert told.slack.sends.count(JANE.email) == 1
    assert told.open_effects() == []
