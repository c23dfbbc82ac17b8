"""Draws the card that somebody should see of a revision, or of a question, as things stand now."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from projections.approval_view import ApprovalView
from services.channels.card import Card, make_card, make_question
from services.channels.mustache import CardTemplate
from services.notifier.standing import Standing

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the approvals of a source, or of a type, are shown where a card leaves Placet.

    `sensitive` are JSON pointers to what of a payload is left out.
    """

    template: CardTemplate | None = None
    sensitive: tuple[str, ...] = ()


Looks = Mapping[tuple[str, str], Look]
"""By (workspace, source or approval type)."""
_PLAIN = Look()


class Drawing:
    """Knows how cards look, the address of our pages and the time."""

    def __init__(
        self,
        of_sources: Looks,
        of_types: Looks,
        public_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._of_sources = of_sources
        self._of_types = of_types
        self._public_url = public_url
        self._clock = clock

    def card(self, standing: Standing, approver: str, revision: str) -> Card:
        """Return the card; its `shown` tells whether it is open, superseded or settled."""
        now_is = standing.view()
        asked_at = standing.question_at(revision)
        if asked_at is not None:
            return self._checked(standing, now_is, self._question(standing, now_is, asked_at))
        superseded = standing.should_show(revision) == "superseded"
        view = standing.view_of_revision(revision) if superseded else now_is
        look = self._look(view)
        seen = standing.seen_before(approver)
        card = make_card(
            view,
            approver,
            public_url=self._public_url,
            template=look.template,
            now=self._clock(),
            superseded_by=now_is if superseded else None,
            failure=standing.failure,
            before=standing.view_of_revision(seen) if seen is not None else None,
            passed_on=standing.passed_on(approver),
            questions=standing.questions,
            sensitive=look.sensitive,
        )
        return self._checked(standing, view, card)

    def _question(self, standing: Standing, view: ApprovalView, asked_at: int) -> Card:
        look = self._look(view)
        return make_question(
            view,
            standing.story.questions[asked_at],
            public_url=self._public_url,
            template=look.template,
            now=self._clock(),
            sensitive=look.sensitive,
        )

    def _checked(self, standing: Standing, view: ApprovalView, card: Card) -> Card:
        if card.template_error is not None:
            logger.warning(
                "%s: the card template of %s could not be used, the payload's fields are shown "
                "instead: %s",
                standing.approval_id,
                view.source.name if view.source else view.type,
                card.template_error,
            )
        return card

    def _look(self, view: ApprovalView) -> Look:
        """Return the look of its source or of its type; what either holds back stays back."""
        of_type = self._of_types.get((view.workspace, view.type), _PLAIN)
        if view.source is None:
            return of_type
        of_source = self._of_sources.get((view.workspace, view.source.name), _PLAIN)
        sensitive = (*of_source.sensitive, *of_type.sensitive)
        return Look(template=of_source.template, sensitive=sensitive)
