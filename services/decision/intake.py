"""Takes what comes by Kafka: observations of pollers, and asks of services that prefer Kafka.

A batch becomes one transaction. Where that meets a conflict, its parts go one by one.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.approval import Subject
from events.codec import Unreadable
from events.commands import ObservePending, ObserveSettled, RequestApproval
from events.decider import reopens
from events.digest import NotCanonical, payload_digest
from events.handling import Order, handle, handle_batch, request, request_batch
from events.kafka.consumer import Delivered, Rejected
from events.kafka.messages import attributes
from events.observation import Observation, decode_observation
from events.store import (
    Claim,
    Claimed,
    ClaimTaken,
    EventStore,
    Unavailable,
    VersionConflict,
)
from services.decision.asking import Asking, fingerprint, idempotency_claim
from services.decision.checking import checked
from services.decision.checking import workspace as workspace_named
from services.decision.identifiers import new_approval_id, new_command_id
from services.decision.request_body import AskedBy, approval_decoder
from services.directory import Directories, Directory, FixedDirectories
from services.policies import EXPIRES_AFTER, Facts, Policies
from services.settings import DEFAULT_WORKSPACE
from services.web.bodies import MAX_BODY, check_depth, read_json
from services.web.problems import Problem

KAFKA = "kafka"
"""Stands before the keys of asks that came by Kafka: no principal has that address."""
BY_KAFKA = AskedBy(email=None)
REUSED = "ce_id was used before, with another body"
ROUNDS = 5
"""How often an observation is placed anew because somebody else placed the record first."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Ask:
    message: Delivered
    workspace: str
    claim: Claim
    command: RequestApproval
    revised: bool


class Intake:
    """Handlers for the topics that come in; each bears to see a message twice."""

    def __init__(
        self,
        store: EventStore,
        clock: Callable[[], datetime],
        asking: Asking | None = None,
        expires_after: timedelta = EXPIRES_AFTER,
        directories: Directories | None = None,
        policies: Policies | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._asking = asking or Asking(store, clock)
        self._expires_after = expires_after
        self._directories = directories or FixedDirectories()
        self._policies = policies or Policies()

    async def observed(self, batch: Sequence[Delivered]) -> Sequence[Rejected]:
        """Handle messages of `approval.observed`."""
        rejected: list[Rejected] = []
        by_workspace: dict[str, list[Observation]] = {}
        for message in batch:
            try:
                value = message.value or b""
                check_depth(value)
                observation = checked(decode_observation(value))
                if observation.content is not None:
                    payload_digest(observation.content.payload)
            except (Unreadable, NotCanonical, Problem) as error:
                rejected.append(Rejected(message, str(error)))
            else:
                by_workspace.setdefault(observation.workspace, []).append(observation)
        for workspace, observations in by_workspace.items():
            for wave in _waves(observations):
                await self._place(workspace, wave)
        return rejected

    async def _place(self, workspace: str, wave: Mapping[str, Observation]) -> None:
        """Bring each record's approval up to one observation."""
        try:
            reopened = await self._place_together(workspace, wave)
        except (VersionConflict, ClaimTaken):
            reopened = {}
            for key, observation in wave.items():
                await self._place_alone(workspace, key, observation)
        for key, claimed in reopened.items():
            await self._new_round(workspace, key, wave[key], claimed.round + 1)

    async def _place_together(
        self, workspace: str, wave: Mapping[str, Observation]
    ) -> dict[str, Claimed]:
        claimed = await self._store.claimed(workspace, "record", list(wave))
        orders = {
            key: self._order(key, observation, claimed.get(key))
            for key, observation in wave.items()
        }
        handled = await handle_batch(
            self._store, workspace, [order for order in orders.values() if order is not None]
        )
        reopened: dict[str, Claimed] = {}
        for key, order in orders.items():
            if order is None or key not in claimed:
                continue
            state = handled[order.approval_id].state
            if isinstance(order.command, ObservePending) and reopens(order.command, state):
                reopened[key] = claimed[key]
        return reopened

    async def _place_alone(self, workspace: str, key: str, observation: Observation) -> None:
        for _ in range(ROUNDS):
            claimed = (await self._store.claimed(workspace, "record", [key])).get(key)
            order = self._order(key, observation, claimed)
            if order is None:
                return
            try:
                handled = await handle(self._store, workspace, order)
            except ClaimTaken:
                continue
            if (
                claimed is not None
                and isinstance(order.command, ObservePending)
                and reopens(order.command, handled.state)
            ):
                await self._new_round(workspace, key, observation, claimed.round + 1)
            return
        raise Unavailable(f"{key} is being placed by somebody else all the time. Try again.")

    async def _new_round(
        self, workspace: str, key: str, observation: Observation, round_: int
    ) -> None:
        """Begin a new approval for a record that is pending again; no-op if somebody did."""
        order = self._order(key, observation, None, round_)
        if order is None:
            return
        try:
            await request(self._store, workspace, order)
        except ClaimTaken:
            logger.info("%s: round %d has begun already", key, round_)

    def _order(
        self, key: str, observation: Observation, claimed: Claimed | None, round_: int = 1
    ) -> Order | None:
        """Return the order for an observation; None when there is nothing to settle."""
        command = self._command(observation, claimed.round if claimed else round_)
        command_id = new_command_id()
        if claimed is not None:
            return Order(approval_id=claimed.approval_id, command=command, command_id=command_id)
        if not isinstance(command, ObservePending):
            return None
        return Order(
            approval_id=new_approval_id(command.ask.now),
            command=command,
            command_id=command_id,
            claims=(Claim(kind="record", key=key, round=round_),),
        )

    def _command(self, observation: Observation, round_: int) -> ObservePending | ObserveSettled:
        now = self._clock()
        ask = ask_of(
            observation,
            round_=round_,
            now=now,
            expires_after=self._expires_after,
            directory=self._directories.of(observation.workspace),
            policies=self._policies.within(observation.workspace),
        )
        if ask is not None:
            return ObservePending(ask=ask, read_at=observation.read_at)
        return settled_of(observation, now)

    async def requests(self, batch: Sequence[Delivered]) -> Sequence[Rejected]:
        """Handle messages of `approval.requests`: the body of `POST /v1/approvals`."""
        rejected: list[Rejected] = []
        asks: dict[tuple[str, str], _Ask] = {}
        for message in batch:
            try:
                ask = self._ask(message)
            except (Unreadable, Problem) as error:
                rejected.append(Rejected(message, str(error)))
                continue
            first = asks.setdefault((ask.workspace, ask.claim.key), ask)
            if first.claim.fingerprint != ask.claim.fingerprint:
                rejected.append(Rejected(message, REUSED))
        for workspace in dict.fromkeys(workspace for workspace, _ in asks):
            theirs = [ask for (owner, _), ask in asks.items() if owner == workspace]
            rejected.extend(await self._keep(workspace, theirs))
        return rejected

    def _ask(self, message: Delivered) -> _Ask:
        found = attributes(message.headers)
        ce_id = found.get("ce_id", "")
        if not ce_id or len(ce_id) > 255 or "\0" in ce_id:  # noqa: PLR2004 # as for Idempotency-Key
            raise Unreadable("header ce_id is missing or longer than 255 characters")
        value = message.value or b""
        if len(value) > MAX_BODY:
            raise Unreadable(f"the body is over {MAX_BODY // 1024} KiB")
        body = read_json(value, approval_decoder)
        workspace = workspace_named(found.get("ce_workspace", DEFAULT_WORKSPACE))
        claim = idempotency_claim(KAFKA, ce_id, fingerprint(value))
        command = self._asking.command(workspace, body, BY_KAFKA)
        return _Ask(message, workspace, claim, command, revised=body.revision is not None)

    async def _keep(self, workspace: str, asks: Sequence[_Ask]) -> list[Rejected]:
        # One after the other: each may take the place of the one before it.
        about = [ask for ask in asks if ask.command.about.subject is not None]
        rejected = [one for ask in about if (one := await self._keep_about(workspace, ask))]
        return rejected + await self._keep_together(
            workspace, [ask for ask in asks if ask.command.about.subject is None]
        )

    async def _keep_about(self, workspace: str, ask: _Ask) -> Rejected | None:
        try:
            await self._asking.keep(workspace, ask.command, ask.claim, revised=ask.revised)
        except Problem as error:
            return Rejected(ask.message, str(error))
        return None

    async def _keep_together(self, workspace: str, asks: Sequence[_Ask]) -> list[Rejected]:
        if not asks:
            return []
        known = await self._known(workspace, asks)
        orders = [_order(ask) for ask in asks if ask.claim.key not in known]
        try:
            await request_batch(self._store, workspace, orders)
        except (ClaimTaken, VersionConflict):
            for order in orders:
                try:
                    await request(self._store, workspace, order)
                except ClaimTaken:
                    logger.info("%s was asked before", order.command_id)
            known = await self._known(workspace, asks)
        return [
            Rejected(ask.message, REUSED)
            for ask in asks
            if ask.claim.key in known and known[ask.claim.key].fingerprint != ask.claim.fingerprint
        ]

    async def _known(self, workspace: str, asks: Sequence[_Ask]) -> Mapping[str, Claimed]:
        keys = [ask.claim.key for ask in asks]
        return await self._store.claimed(workspace, "idempotency", keys)


def ask_of(
    observation: Observation,
    *,
    round_: int,
    now: datetime,
    expires_after: timedelta,
    directory: Directory | None = None,
    policies: Policies | None = None,
) -> RequestApproval | None:
    """Return the ask that a pending record stands for; None for one that is not pending.

    Raises `NotCanonical` for a payload that cannot be bound to a decision.
    """
    content = observation.content
    if observation.state != "pending" or content is None:
        return None
    about = Subject(
        type=content.type,
        title=content.title,
        requester=content.requester,
        revision=observation.revision,
        round=round_,
        payload_digest=payload_digest(content.payload),
        source=observation.record,
    )
    facts = Facts(
        about=about,
        payload=content.payload,
        approvers=content.approvers,
        reason=content.reason,
        urgency=content.urgency,
    )
    choice = (policies or Policies()).choose(facts, directory or Directory(), now)
    return RequestApproval(
        about=about,
        payload=content.payload,
        # Whom the record names: who else is asked may change without the record having changed.
        approvers=content.approvers,
        reason=content.reason,
        urgency=content.urgency,
        metadata={},
        expires_at=choice.ends(None, now + expires_after),
        now=now,
        on_timeout=choice.on_timeout or "expire",
        policy=choice.policy,
        automatic=choice.automatic,
    )


def settled_of(observation: Observation, now: datetime) -> ObserveSettled:
    """Return the command for a record that is pending no more."""
    return ObserveSettled(
        cause="settled" if observation.state == "pending" else observation.state,
        by=observation.settled_by,
        outcome=observation.outcome,
        read_at=observation.read_at,
        now=now,
    )


def _waves(observations: Sequence[Observation]) -> list[dict[str, Observation]]:
    """Split into rounds in which each record stands once, keeping each record's order."""
    waves: list[dict[str, Observation]] = []
    placed: dict[str, int] = {}
    for observation in observations:
        key = observation.record_key
        wave = placed.get(key, -1) + 1
        placed[key] = wave
        if wave == len(waves):
            waves.append({})
        waves[wave][key] = observation
    return waves


def _order(ask: _Ask) -> Order:
    return Order(
        approval_id=new_approval_id(ask.command.now),
        command=ask.command,
        command_id=f"{KAFKA} {ask.claim.key}",
        claims=(ask.claim,),
    )
