"""Makes the topics of the one table, and tells which of them a broker lacks."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from events.kafka.topics import TOPICS, Topic
from events.store import Unavailable


async def create_topics(
    bootstrap: str, *, replication: int = 1, partitions: int | None = None
) -> int:
    """Make what is missing and return how many topics that was; raises `Unavailable`.

    `partitions` overrides the table's number, for a small machine.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        missing = [topic for topic in TOPICS if topic.name not in there]
        if missing:
            await admin.create_topics(
                [_new_topic(topic, replication, partitions) for topic in missing]
            )
        return len(missing)
    except TopicAlreadyExistsError:
        return 0  # somebody else was faster
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {bootstrap} cannot make the topics: {error}") from error
    finally:
        await admin.close()


async def missing_topics(bootstrap: str) -> list[str]:
    """Return the names of the topics that a broker lacks; raises `Unavailable`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        there = set(await admin.list_topics())
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {bootstrap} cannot be reached: {error}") from error
    finally:
        await admin.close()
    return [topic.name for topic in TOPICS if topic.name not in there]


def _new_topic(topic: Topic, replication: int, partitions: int | None) -> NewTopic:
    return NewTopic(
        name=topic.name,
        num_partitions=partitions or topic.partitions,
        replication_factor=replication,
        topic_configs={"retention.ms": str(topic.retention_ms)},
    )
