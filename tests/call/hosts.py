"""Two hosts on this machine: network namespaces, and between them a line as bad as is wanted (`relay`). Needs root."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .relay import Weather

ROOT = Path(__file__).resolve().parents[2]
NETWORK = "10.213.77"
HOSTS = ("left", "right")
Counts = dict[str, tuple[int, int]]


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@dataclass
class Line:
    """What joins the two hosts. Each has one interface, and the address `address[host]` on it."""

    spaces: dict[str, str]
    relay: subprocess.Popen[str]
    address: dict[str, str] = field(default_factory=lambda: {"left": f"{NETWORK}.1", "right": f"{NETWORK}.2"})

    def command(self, host: str, *words: str) -> list[str]:
        """Python with these words, on that host."""
        return ["ip", "netns", "exec", self.spaces[host], sys.executable, *words]

    def weather(self, weather: Weather) -> None:
        """Let the line be like this from now on, both ways."""
        self._ask(dataclasses.asdict(weather))

    def carried(self) -> Counts:
        """Frames and their bytes so far, by the host that sent them and what they are ("left rtp")."""
        return {name: (packets, size) for name, (packets, size) in self._ask({}).items()}

    def sent(self, host: str) -> tuple[int, int]:
        """Frames and their bytes that the host's interface counts as sent."""
        told = json.loads(_ip("-n", self.spaces[host], "-s", "-j", "link", "show", "dev", "line"))[0]["stats64"]["tx"]
        return int(told["packets"]), int(told["bytes"])

    def readdress(self, host: str, last: int) -> None:
        """Give the host another address in place of its own."""
        before, self.address[host] = self.address[host], f"{NETWORK}.{last}"
        for change, address in (("del", before), ("add", self.address[host])):  # a first one takes others along
            _ip("-n", self.spaces[host], "addr", change, f"{address}/24", "dev", "line")

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self.relay.stdin is not None
        assert self.relay.stdout is not None
        print(json.dumps(question), file=self.relay.stdin, flush=True)
        return json.loads(self.relay.stdout.readline())


@contextmanager
def two_hosts() -> Iterator[Line]:
    """Made, and taken away at the end."""
    spaces = {name: f"lsp{os.getpid()}{name[0]}" for name in (*HOSTS, "middle")}
    with ExitStack() as made:
        for space in spaces.values():
            _ip("netns", "add", space)
            made.callback(_ip, "netns", "del", space)
            quiet = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 || true"  # else it talks to its neighbours
            subprocess.run(["ip", "netns", "exec", space, "sh", "-c", quiet], check=True, stderr=subprocess.DEVNULL)
            _ip("-n", space, "link", "set", "lo", "up")
        for number, host in enumerate(HOSTS, 1):
            ends = ("line", "netns", spaces[host]), (host, "netns", spaces["middle"])
            _ip("link", "add", *ends[0], "type", "veth", "peer", "name", *ends[1])
            _ip("-n", spaces[host], "addr", "add", f"{NETWORK}.{number}/24", "dev", "line")
            _ip("-n", spaces[host], "link", "set", "line", "up")
            _ip("-n", spaces["middle"], "link", "set", host, "up", "promisc", "on")
        relay = subprocess.Popen(
            ["ip", "netns", "exec", spaces["middle"], sys.executable, "-m", "tests.call.relay", *HOSTS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        made.callback(_end, relay)
        assert relay.stdout is not None
        assert relay.stdout.readline(), "the relay did not start"
        yield Line(spaces, relay)


def _end(relay: subprocess.Popen[str]) -> None:
    assert relay.stdin is not None
    assert relay.stdout is not None
    relay.stdin.close()
    relay.wait(60)
    relay.stdout.close()
