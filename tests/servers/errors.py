"""Why a server for the tests cannot be had."""


class NotHere(Exception):
    """This kind of server cannot be had on this machine; the next kind may."""


class KafkaRequired(Exception):
    """The tests were told to run on Apache Kafka, and none is to be had."""


class NotOurs(Exception):
    """We did not start this server, so we do not kill it."""
