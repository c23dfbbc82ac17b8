"""The settings of the one-node Kafka that tests run against."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProxyRoute:
    """A second way into a broker: its clients come back to `listen_port` for every connection.

    Put a TcpProxy there (`TcpProxy(route.target_port, listen_port=route.listen_port)`, or on
    `target_host`) and give clients `bootstrap`.
    """

    listen_port: int
    target_port: int
    target_host: str = "127.0.0.1"

    @property
    def bootstrap(self) -> str:
        """The address for clients of the proxy."""
        return f"127.0.0.1:{self.listen_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where a node listens, and where it tells its clients to come."""

    bind: str
    advertised: str


def node_settings(
    *,
    clients: Listener,
    proxied: Listener,
    controller: str,
    folder: str,
) -> dict[str, str]:
    """One combined broker and controller, by Kafka's own names of settings.

    Nothing is created by accident, a group forms at once, and a node that was killed is let back
    in within seconds.
    """
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENTS",
        "listeners": (
            f"CLIENTS://{clients.bind},PROXIED://{proxied.bind},CONTROLLER://{controller}"
        ),
        "advertised.listeners": (f"CLIENTS://{clients.advertised},PROXIED://{proxied.advertised}"),
        "listener.security.protocol.map": (
            "CLIENTS:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "log.dirs": folder,
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
        # Tests of lost members would otherwise wait 6 s at least.
        "group.min.session.timeout.ms": "500",
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "500",
        # Small: the cleaner alone would take 128 MiB of the heap at its start.
        "log.cleaner.dedupe.buffer.size": "4194304",
        "log.index.size.max.bytes": "1048576",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
    }


def as_properties(settings: dict[str, str]) -> str:
    """The text of a `server.properties` file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def as_environment(settings: dict[str, str]) -> dict[str, str]:
    """The variables from which the official image makes its `server.properties`."""
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
