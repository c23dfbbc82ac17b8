"""A program: signs and posts the same body to endpoints in turn, with our client and no store."""

import asyncio
import sys
import time
from itertools import count

import msgspec
import uvloop

from services.outgoing.delivering import Delivering
from services.outgoing.guard import parse_allowed
from services.outgoing.signing import new_secret, sign


class Plan(msgspec.Struct):
    """Where to, what, and for how long; `each` requests at a time to each URL."""

    urls: list[str]
    body: str
    seconds: float
    each: int = 2
    warm_s: float = 0.3


async def run(plan: Plan) -> dict[str, float]:
    """Return posts a second."""
    body, secrets, numbers = plan.body.encode(), [new_secret()], count()
    begin = time.perf_counter() + plan.warm_s
    end = begin + plan.seconds
    posts = refused = 0

    async def client(sender: Delivering, url: str) -> None:
        nonlocal posts, refused
        while time.perf_counter() < end:
            message_id, timestamp = f"msg_{next(numbers)}", int(time.time())
            headers = {
                "content-type": "application/json",
                "webhook-id": message_id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": sign(message_id, timestamp, body, secrets),
            }
            answer = await sender.post(url, headers, body)
            if begin <= time.perf_counter() < end:
                posts += 1
                refused += answer.status != 204

    async with Delivering(parse_allowed("127.0.0.0/8")) as sender:
        await asyncio.gather(*(client(sender, url) for url in plan.urls for _ in range(plan.each)))
    return {"per_second": posts / plan.seconds, "refused": float(refused)}


def main() -> None:
    """Read the plan from the input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(plan))))


if __name__ == "__main__":
    main()
