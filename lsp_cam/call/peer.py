"""The other side over WebRTC (aiortc): encrypted speech, and a channel for messages.

aiortc runs on an event loop in a thread of its own. Speech goes out as packets that are packed already, and is taken
from where it comes in: aiortc's own jitter buffer has neither concealment nor a clock, so what it makes is thrown away.
"""

from __future__ import annotations

import asyncio
import fractions
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from ..errors import CallError, MissingExtra
from ..folders import install_command
from .consent import keep
from .line import OnMotion, OnVoice, Traffic, unmoved
from .motion import shifted
from .opus import CLOCK_HZ, MAX_PACKET_BYTES
from .playout import Voiced
from .roaming import follow

LOG = logging.getLogger(__name__)
T = TypeVar("T")
CONNECT_S = 30.0
ASK_S = 20.0
CLOSE_S = 5.0
CHANNEL, MOTION_CHANNEL = "lsp-cam", "lsp-cam-motion"
LOSS_EVERY_S = 1.0
FULL_BYTES = 1 << 18
MOTION_FULL_BYTES = 512

Message = str | bytes


class Peer:
    """One call's connection. `offer` and then `accept`, or `answer`; then `connect`. Errors are CallErrors.

    `on_voice`, `on_message` and `on_motion` are called on the loop's thread, and must not wait.
    """

    def __init__(
        self, on_voice: OnVoice, on_message: Callable[[Message], None], stun: str | None = None,
        on_motion: OnMotion = unmoved,
    ) -> None:  # fmt: skip
        self.traffic = Traffic()
        self.loss = 0.0
        self._on_voice, self._on_message, self._on_motion = on_voice, on_message, on_motion
        self._connected = threading.Event()
        self._over = threading.Event()
        self._channel: Any = None
        self._origin: int | None = None  # of the times that the other side sees, by ours
        self._own_motion: Any = None
        self._far_motion: Any = None
        self._channel_open = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="peer", daemon=True)
        self._thread.start()
        try:
            self._run(self._prepare(stun))
        except BaseException:
            self._end_loop()
            raise

    def offer(self) -> str:
        """The session description that begins a call."""
        return self._run(self._offer())

    def answer(self, offer: str) -> str:
        """The description that answers `offer`. CallError if that is none."""
        self._run(self._take(offer, "offer"))
        try:
            return self._run(self._describe(lambda: self._pc.createAnswer()))
        except (ValueError, AttributeError, AssertionError) as error:  # an offer of something else than speech
            raise CallError(f"The other side's offer cannot be used ({error}). Start again with new codes.") from None

    def accept(self, answer: str) -> None:
        """Take the other side's answer to our offer. CallError if it is none."""
        self._run(self._take(answer, "answer"))

    def connect(self, timeout_s: float = CONNECT_S) -> None:
        """Wait for the connection. CallError if it does not come about."""
        deadline_s = time.monotonic() + timeout_s
        while not (self._connected.is_set() and self._channel_open.wait(0.05)):
            if self._over.wait(0.05) or time.monotonic() > deadline_s:
                raise CallError(
                    "No connection came about: either the two machines cannot reach each other (use --stun beyond "
                    "one network), or whoever answered has not the key that the code names. Start again with new codes."
                )

    @property
    def is_open(self) -> bool:
        return not self._over.is_set()

    def send(self, payload: bytes, timestamp: int) -> None:
        if self._connected.is_set() and self.is_open:
            self.traffic.packets_out += 1
            self.traffic.bytes_out += len(payload)
            self._loop.call_soon_threadsafe(self._voice.put, payload, timestamp)

    def move(self, packet: bytes) -> None:
        if self._connected.is_set() and self.is_open:
            self._loop.call_soon_threadsafe(self._move, packet)

    def tell(self, message: Message) -> bool:
        """Send a message; False while so much waits to be sent that it should be tried again later."""
        channel = self._channel
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > FULL_BYTES:
            return False
        try:
            self._run(self._tell(message))
        except (CallError, RuntimeError):  # hung up meanwhile
            return False
        return True

    def close(self) -> None:
        if self._thread.is_alive():
            try:
                self._run(self._hang_up(), CLOSE_S)
            except CallError as error:
                LOG.warning("hanging up: %s", error)
            self._over.set()
            self._end_loop()

    def describe(self) -> str:
        return "WebRTC"

    async def _prepare(self, stun: str | None) -> None:
        try:
            from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCRtpSender
        except ImportError:
            raise MissingExtra(f"Calls need an extra: {install_command('calls')}") from None
        from .outgoing import VoiceTrack

        servers = [RTCIceServer(f"stun:{stun}")] if stun else []
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=servers))  # none given, it would ask a stranger's
        self._voice = VoiceTrack(fractions.Fraction(1, CLOCK_HZ), self._sent)
        transceiver = self._pc.addTransceiver(self._voice)
        self._sender: Any = transceiver.sender
        opus = [c for c in RTCRtpSender.getCapabilities("audio").codecs if c.mimeType.lower() == "audio/opus"]
        transceiver.setCodecPreferences(opus)
        self._pc.on("connectionstatechange", self._changed)
        self._pc.on("datachannel", self._adopt)

    async def _offer(self) -> str:
        self._adopt(self._pc.createDataChannel(CHANNEL))
        return await self._describe(lambda: self._pc.createOffer())

    async def _describe(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> str:
        await self._pc.setLocalDescription(await make())
        self._listen()
        return str(self._pc.localDescription.sdp)

    async def _take(self, sdp: str, kind: str) -> None:
        from aiortc import RTCSessionDescription

        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(sdp, kind))
        except Exception as error:  # aiortc raises whatever its parser stumbles over
            raise CallError(f"The other side's {kind} cannot be used ({error}). Start again with new codes.") from None

    def _listen(self) -> None:
        """Take speech from where it comes in."""
        receiver: Any = self._pc.getTransceivers()[0].receiver
        ours = receiver._handle_rtp_packet
        if getattr(ours, "__func__", None) is not type(receiver)._handle_rtp_packet:
            return

        async def heard(packet: Any, arrival_time_ms: int) -> None:
            if 0 < len(packet.payload) <= MAX_PACKET_BYTES:
                self.traffic.packets_in += 1
                self.traffic.bytes_in += len(packet.payload)
                voiced = Voiced(packet.sequence_number, packet.timestamp, bytes(packet.payload), time.monotonic())
                self._on_voice(voiced)
            await ours(packet, arrival_time_ms)  # makes the reports that the sender needs

        receiver._handle_rtp_packet = heard

    def _adopt(self, channel: Any) -> None:
        """The channel for messages, which the side that offers makes, or that of the other side's motion."""
        if channel.label == MOTION_CHANNEL and self._far_motion is None:
            self._far_motion = channel
            channel.on("message", lambda packet: self._on_motion(packet if isinstance(packet, bytes) else b""))
            return
        if channel.label != CHANNEL or self._channel is not None:
            channel.close()
            return
        self._channel = channel
        channel.on("open", self._opened)
        channel.on("message", self._on_message)
        if channel.readyState == "open":
            self._opened()

    def _opened(self) -> None:
        """Messages can be sent. A channel for motion is made at once, one that loses rather than waits.

        Made when the head first moves, it would hold its poses back for seconds where the packet that opens it is lost.
        """
        if self._own_motion is None:
            self._own_motion = self._pc.createDataChannel(MOTION_CHANNEL, ordered=False, maxRetransmits=0)
        self._channel_open.set()

    def _sent(self, timestamp: int) -> None:
        """Speech of that time is on its way: aiortc adds a random number of its own to every time."""
        if self._origin is None:
            self._origin = self._sender._RTCRtpSender__rtp_timestamp - timestamp

    def _move(self, packet: bytes) -> None:
        """Say how the head moves, if there is room for it."""
        channel = self._own_motion
        if self._origin is None or channel is None:
            return
        if channel.readyState == "open" and channel.bufferedAmount < MOTION_FULL_BYTES:
            self.traffic.moved(packet)
            channel.send(shifted(packet, self._origin))

    def _changed(self) -> None:
        state = self._pc.connectionState
        LOG.info("the connection is %s", state)
        if state == "connected" and not self._connected.is_set():
            self._connected.set()
            ice: Any = self._pc.getSenders()[0].transport.transport
            kept = (keep(ice._connection), follow(ice._connection), self._ask(), self._drain())
            self._tasks = [self._loop.create_task(work) for work in kept]
        elif state in ("failed", "closed"):
            self._over.set()

    async def _drain(self) -> None:
        """Throw away what aiortc unpacks."""
        from aiortc.mediastreams import MediaStreamError

        track = self._pc.getTransceivers()[0].receiver.track
        try:
            while True:
                await track.recv()
        except MediaStreamError:
            self._over.set()  # the other side said goodbye

    async def _ask(self) -> None:
        """What the other side misses of us."""
        while True:
            await asyncio.sleep(LOSS_EVERY_S)
            for told in (await self._pc.getSenders()[0].getStats()).values():
                if told.type == "remote-inbound-rtp":
                    self.loss = told.fractionLost / 256

    async def _tell(self, message: Message) -> None:
        if self._channel.readyState == "open":
            self._channel.send(message)

    async def _hang_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._pc.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)

    def _run(self, work: Coroutine[Any, Any, T], timeout_s: float = ASK_S) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise CallError("The connection's own thread does not answer. End the call and start it again.") from None

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        if not self._thread.is_alive():
            self._loop.close()
