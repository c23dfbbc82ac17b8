"""Draws the card that an approver should see of a revision, given how the approval stands now."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from services.channels.card import Card, make_card
from services.channels.mustache import CardTemplate
from services.notifier.standing import Standing

logger = logging.getLogger(__name__)

Templates = Mapping[tuple[str, str], CardTemplate]
"""(workspace, source) to how its records are shown."""


class Drawing:
    """Knows the templates, the address of our pages and the time."""

    def __init__(
        self, templates: Templates, public_url: str, clock: Callable[[], datetime]
    ) -> None:
        self._templates = templates
        self._public_url = public_url
        self._clock = clock

    def card(self, standing: Standing, approver: str, revision: str) -> Card:
        """Return the card; its `shown` tells whether it is open, superseded or settled."""
        now_is = standing.view()
        superseded = standing.should_show(approver, revision) == "superseded"
        view = standing.view_of_revision(revision) if superseded else now_is
        source = (standing.workspace, view.source.name) if view.source else None
        card = make_card(
            view,
            approver,
            public_url=self._public_url,
            template=self._templates.get(source) if source else None,
            now=self._clock(),
            superseded_by=now_is if superseded else None,
            failure=standing.failure,
            changed=standing.was_asked_before(approver),
        )
        if card.template_error is not None:
            logger.warning(
                "%s: the card template of %s could not be used, the payload's fields are shown "
                "instead: %s",
                standing.approval_id,
                view.source.name if view.source else "?",
                card.template_error,
            )
        return card
