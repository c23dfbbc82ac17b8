"""The log on its way: topics, producer, consumer, and what happens to messages nobody can read."""
