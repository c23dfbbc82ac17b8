"""Apache Kafka for the tests, from Maven's jars or in a container: one node, quick and small."""
