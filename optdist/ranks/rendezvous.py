"""Lets Horovod's ranks find each other: an HTTP server that keeps what they tell each other.

It listens on one address, on the loopback interface where all ranks are on this machine. Horovod's
own launchers listen on all interfaces and unpickle what comes in; this server does neither.
"""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Channel:
    """Messages between the server's process and those that watch ranks elsewhere."""

    address: str
    port: int
    token: str  # who does not know it reads and writes nothing here

    def put(self, key: str, value: Any) -> None:
        """Leave a JSON value.

        Raises:
            OSError: the server does not answer.
        """
        self._request("PUT", key, json.dumps(value).encode())

    def get(self, key: str) -> Any:
        """The JSON value of a key, or None.

        Raises:
            OSError: the server does not answer.
        """
        text = self._request("GET", key)
        return json.loads(text) if text else None

    def _request(self, method: str, key: str, body: bytes | None = None) -> bytes | None:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=10)
        try:
            connection.request(method, f"/{self.token}/{key}", body)
            answer = connection.getresponse()
            content = answer.read()
            return content if answer.status == http.HTTPStatus.OK else None
        except http.client.HTTPException as error:
            raise OSError(f"{self.address}:{self.port} does not answer: {error!r}") from error
        finally:
            connection.close()


class Rendezvous:
    """Horovod's server, in a thread of this process."""

    def __init__(self, address: str = LOOPBACK) -> None:
        """Listen on a free port.

        Args:
            address: of this host, such that all ranks reach it.
        """
        from horovod.runner.http.http_server import RendezvousHandler, RendezvousHTTPServer

        self._server: Any = RendezvousHTTPServer((address, 0), RendezvousHandler, 0)
        self._server.daemon_threads = True
        self.channel = Channel(address, self._server.server_address[1], secrets.token_hex(16))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def slots(self, hosts: Sequence[str]) -> list[dict[str, str]]:
        """Number the ranks, those on one host in a row.

        Args:
            hosts: the host of each process.

        Returns:
            The variables that tell each process, in the same order, its place among the others.
        """
        from horovod.runner.common.util.hosts import HostInfo, get_host_assignments
        from horovod.runner.gloo_run import create_slot_env_vars

        counts = {host: hosts.count(host) for host in dict.fromkeys(hosts)}
        plan = get_host_assignments([HostInfo(*item) for item in counts.items()], len(hosts))
        kept = self._content()
        self._server.init(plan)  # which forgets all messages
        self._server.cache.update(kept)
        places = {host: [slot for slot in plan if slot.hostname == host] for host in counts}
        return [create_slot_env_vars(places[host].pop(0)) for host in hosts]

    def messages(self) -> dict[str, Any]:
        """What came in by the channel."""
        content = self._content().get(self.channel.token, {})
        return {key: json.loads(value) for key, value in content.items()}

    def _content(self) -> dict[str, dict[str, bytes]]:
        with self._server.cache_lock:
            return {scope: dict(values) for scope, values in self._server.cache.items()}

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def meeting_environment(channel: Channel, interface: str) -> dict[str, str]:
    """The variables by which a rank finds the server.

    Args:
        channel: where the server listens.
        interface: the network interface of the rank's host that the other ranks reach.
    """
    from horovod.runner.gloo_run import create_run_env_vars

    variables = create_run_env_vars(channel.address, [interface], channel.port)
    return {name: str(value) for name, value in variables.items()}


def interface_towards(address: str, chosen: Sequence[str] = ()) -> str:
    """The interface of this host that reaches an address.

    Args:
        address: of the server.
        chosen: names to choose from, the first that this host has; empty: any.

    Raises:
        OSError: there is no such interface.
    """
    import psutil

    addresses = psutil.net_if_addrs()
    for name in chosen:
        if name in addresses:
            return name
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # sends nothing
        own = probe.getsockname()[0]
    if not chosen:
        for name, entries in addresses.items():
            if any(entry.address == own for entry in entries):
                return str(name)
    raise OSError(
        f"{socket.gethostname()} has no interface of horovod.nics {list(chosen)}; it has "
        f"{', '.join(addresses)}"
    )


def address_of(interface: str) -> str:
    """The IPv4 address of one of this host's interfaces.

    Raises:
        OSError: there is none.
    """
    import psutil

    for entry in psutil.net_if_addrs().get(interface, []):
        if entry.family == socket.AF_INET:
            return str(entry.address)
    raise OSError(f"{socket.gethostname()} has no IPv4 address on {interface}")
