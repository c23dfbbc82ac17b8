"""Pages of approvals, which go on into the next ones when they are iterated over."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Literal, overload

from placet.approval import Approval
from placet.calls import Batch


class _Page:
    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    @property
    def data(self) -> list[Approval]:
        """The approvals of this page alone."""
        return self._batch.data

    @property
    def next_cursor(self) -> str | None:
        """Where the next page begins; None after the last one."""
        return self._batch.next_cursor

    @property
    def count(self) -> int | None:
        """How many there are in all, where that is told: by `queue`."""
        return self._batch.count

    @overload
    def __getitem__(self, name: Literal["data"]) -> list[Approval]: ...
    @overload
    def __getitem__(self, name: Literal["next_cursor"]) -> str | None: ...
    @overload
    def __getitem__(self, name: Literal["count"]) -> int | None: ...
    def __getitem__(self, name: str) -> list[Approval] | str | int | None:
        match name:
            case "data":
                return self.data
            case "next_cursor":
                return self.next_cursor
            case "count":
                return self.count
            case _:
                raise KeyError(name)

    def __repr__(self) -> str:
        more = "more follow" if self.next_cursor else "the last"
        return f"<{type(self).__name__} of {len(self.data)} approvals, {more}>"


class Page(_Page):
    """A page, `page["data"]`; iterating yields its approvals and those of all pages after it."""

    def __init__(self, batch: Batch, following: Callable[[str], "Page"]) -> None:
        super().__init__(batch)
        self._following = following

    def __iter__(self) -> Iterator[Approval]:
        page = self
        while True:
            yield from page.data
            if page.next_cursor is None:
                return
            page = page._following(page.next_cursor)  # of its own class


class AsyncPage(_Page):
    """As `Page`, with `async for`."""

    def __init__(self, batch: Batch, following: Callable[[str], Awaitable["AsyncPage"]]) -> None:
        super().__init__(batch)
        self._following = following

    async def __aiter__(self) -> AsyncIterator[Approval]:
        page = self
        while True:
            for approval in page.data:
                yield approval
            if page.next_cursor is None:
                return
            page = await page._following(page.next_cursor)  # of its own class
