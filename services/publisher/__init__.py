"""The publisher: carries the store's events into Kafka, in order."""
