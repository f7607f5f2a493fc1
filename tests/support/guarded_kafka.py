"""A real broker that lets in only whom it knows, with a door for each way of being known."""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from shared.messaging.brokers import KafkaAccess
from shared.runtime.settings import KafkaSettings
from tests.support.kafka import Broker
from tests.support.processes import free_ports

USER, PASSWORD = "parcels", "a word that nobody may read"
SCRAM, TLS, MUTUAL, PLAIN = "SCRAM", "TLS", "MUTUAL", "PLAIN"
PROTOCOLS = {SCRAM: "SASL_SSL", TLS: "SSL", MUTUAL: "SSL", PLAIN: "SASL_PLAINTEXT"}

_SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_DAY = timedelta(days=1)


class Authority:
    """Signs certificates for whoever speaks on 127.0.0.1, and for whoever calls there."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = self._certificate(self._name, self._key.public_key(), x509.BasicConstraints(True, None))
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(own)

    def signed(self, name: str) -> tuple[Path, Path]:
        """Return the files of a new certificate and of its private key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.write_bytes(
            self._certificate(subject, key.public_key(), x509.BasicConstraints(False, None))
        )
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, secret

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, kind: x509.BasicConstraints
    ) -> bytes:
        now = datetime.now(UTC)
        here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(kind, critical=True)
            .add_extension(x509.SubjectAlternativeName([here]), critical=False)
        )
        return built.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


@dataclass(frozen=True)
class GuardedKafka:
    """The broker, its doors (`host:port` by name), and what those who may come in hold in their hands."""

    broker: Broker
    doors: Mapping[str, str]
    authority: Path
    certificate: Path  # of a client
    key: Path

    def environment(self, door: str, **changed: str) -> dict[str, str]:
        """Return what a process is told that may come in through this door, unless `changed`."""
        known: dict[str, str] = {"security_protocol": PROTOCOLS[door], "replication_factor": "1"}
        if door != PLAIN:
            known["ssl_cafile"] = str(self.authority)
        if door == MUTUAL:
            known |= {"ssl_certfile": str(self.certificate), "ssl_keyfile": str(self.key)}
        if door in (SCRAM, PLAIN):
            mechanism = "PLAIN" if door == PLAIN else "SCRAM-SHA-512"
            known |= {"sasl_mechanism": mechanism, "sasl_username": USER, "sasl_password": PASSWORD}
        named = {f"PLUMBLINE_KAFKA__{name.upper()}": value for name, value in (known | changed).items()}
        return {"KAFKA_BOOTSTRAP_SERVERS": self.doors[door], **named}

    def access(self, door: str, **changed: str) -> KafkaAccess:
        """Return the same for clients of this process."""
        told = self.environment(door, **changed)
        servers = told.pop("KAFKA_BOOTSTRAP_SERVERS")
        values = {name.removeprefix("PLUMBLINE_KAFKA__").lower(): value for name, value in told.items()}
        return KafkaAccess(bootstrap_servers=servers, settings=KafkaSettings.model_validate(values))

    def set_password(self, password: str) -> None:
        """Give the account another password; who is in stays in until the broker ends."""
        assert self.broker.command is not None
        change = ["--alter", "--add-config", f"SCRAM-SHA-512=[password={password}]"]
        whose = ["--entity-type", "users", "--entity-name", USER]
        at = ["--bootstrap-server", self.broker.bootstrap_servers]
        command = [*self.broker.command("kafka.admin.ConfigCommand"), *at, *change, *whose]
        subprocess.run(command, check=True, capture_output=True)


def guarded(libraries: Path, folder: Path) -> GuardedKafka:
    """Prepare such a broker, not started yet; `folder` keeps its certificates."""
    authority = Authority(folder, "authority")
    certificate, key = authority.signed("broker")
    store = folder / "broker-store.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    port, controller, *others = free_ports(2 + len(PROTOCOLS))
    ports = dict(zip(PROTOCOLS, others, strict=True))
    broker = Broker.of_jars(
        libraries,
        ports=(port, controller),
        more_ports=others,
        more=_properties(ports, port, controller, store, authority.certificate),
        formatted=["--add-scram", f'SCRAM-SHA-512=[name="{USER}",password="{PASSWORD}"]'],
    )
    doors = {name: f"127.0.0.1:{number}" for name, number in ports.items()}
    return GuardedKafka(broker, doors, authority.certificate, *authority.signed(USER))


def _properties(ports: Mapping[str, int], port: int, controller: int, store: Path, authority: Path) -> str:
    """Return the lines of the doors. What needs no proof is left for the broker to speak with itself."""
    doors = [f"{name}://127.0.0.1:{number}" for name, number in ports.items()]
    open_doors = ",".join([f"PLAINTEXT://127.0.0.1:{port}", *doors])
    kinds = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **PROTOCOLS}
    return "\n".join(
        [
            f"listeners={open_doors},CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners={open_doors}",
            f"listener.security.protocol.map={','.join(f'{n}:{kind}' for n, kind in kinds.items())}",
            "connection.failed.authentication.delay.ms=0",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={store}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={authority}",
            "listener.name.mutual.ssl.client.auth=required",
            "listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512",
            f"listener.name.scram.scram-sha-512.sasl.jaas.config={_SCRAM_LOGIN}",
            "listener.name.plain.sasl.enabled.mechanisms=PLAIN",
            f'listener.name.plain.plain.sasl.jaas.config={_PLAIN_LOGIN} user_{USER}="{PASSWORD}";',
            "",
        ]
    )
