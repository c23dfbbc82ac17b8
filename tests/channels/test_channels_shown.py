"""What a card showed on which somebody answers: read from the notifier's own table."""

from dataclasses import replace

from events.store.database import Database
from services.decision.surfaces.cards import SentCards
from services.notifier.cards import PostgresCards, SentCard

ROW = SentCard(
    workspace="acme",
    approval_id="2Zq4h3bN9tVgmPuVd5sJ8oKcXyL",
    approver="amara@example.com",
    channel="discord",
    revision="1",
    reference="1/2",
    digest="d1",
    shown="open",
)


async def test_each_revision_of_ones_own_cards_is_found_and_nothing_of_others(
    worker_db: Database, app_db: Database
) -> None:
    cards = PostgresCards(worker_db)
    for row in (
        ROW,
        replace(ROW, revision="2", digest="d2"),
        replace(ROW, revision="3", approver="bo@example.com"),
        replace(ROW, revision="4", channel="slack"),
        replace(ROW, revision="5", workspace="other"),
        replace(ROW, revision="6", approval_id="2Zq4h3bN9tVgmPuVd5sJ8oKcXyM"),
    ):
        await cards.remember(row)
    sent = SentCards(app_db)
    mine = (ROW.approval_id, ROW.approver, ROW.channel)
    assert await sent.sent("acme", *mine) == {"1": "d1", "2": "d2"}
    assert await sent.sent("nobody", *mine) == {}
