"""Publishes by WHIP and plays by WHEP with aiortc, and says as JSON what came of it.

Every frame has its number in it, as blocks of 20 by 20 pixels: 16 bits, and below them their complement.
"""

import argparse
import asyncio
import fractions
import json
import math
import struct
import time
import urllib.parse
import urllib.request

import av
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack

WIDTH, HEIGHT, SIDE, BITS = 320, 240, 20, 16


class Picture(VideoStreamTrack):
    """Grey, with a number that grows."""

    def __init__(self):
        super().__init__()
        self.count = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        self.count += 1
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        bits = [(self.count >> bit) & 1 for bit in range(BITS)]
        upper = b"".join((b"\xeb" if bit else b"\x10") * SIDE for bit in bits)
        lower = b"".join((b"\x10" if bit else b"\xeb") * SIDE for bit in bits)
        rest = bytes((x + 3 * self.count) % 200 + 20 for x in range(WIDTH))
        rows = [upper] * SIDE + [lower] * SIDE + [rest] * (HEIGHT - 2 * SIDE)
        plane = frame.planes[0]
        padding = b"\0" * (plane.line_size - WIDTH)
        plane.update(b"".join(row + padding for row in rows))
        for plane in frame.planes[1:]:
            plane.update(b"\x80" * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(AudioStreamTrack):
    """1,000 Hz."""

    def __init__(self):
        super().__init__()
        self.samples = 0
        self.begun = None

    async def recv(self):
        if self.begun is None:
            self.begun = time.monotonic()
        await asyncio.sleep(max(0, self.begun + self.samples / 48000 - time.monotonic()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        wave = (math.sin(2 * math.pi * 1000 * (self.samples + i) / 48000) for i in range(960))
        frame.planes[0].update(struct.pack("<960h", *(int(12000 * value) for value in wave)))
        frame.pts, frame.sample_rate = self.samples, 48000
        frame.time_base = fractions.Fraction(1, 48000)
        self.samples += 960
        return frame


def number_in(frame):
    """The number in a frame; None where it can't be read."""
    frame = frame.reformat(WIDTH, HEIGHT, "yuv420p")
    plane = frame.planes[0]
    luma = bytes(plane)
    number = 0
    for bit in range(BITS):
        x = bit * SIDE + SIDE // 2
        upper = luma[SIDE // 2 * plane.line_size + x]
        lower = luma[(SIDE + SIDE // 2) * plane.line_size + x]
        if abs(upper - lower) < 60:
            return None
        number |= (upper > lower) << bit
    return number


class Session:
    """A peer connection, and the resource that stands for it."""

    def __init__(self):
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    async def begin(self, url):
        await self.peer.setLocalDescription(await self.peer.createOffer())
        body = self.peer.localDescription.sdp.encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/sdp"})
        answer, location = await asyncio.to_thread(post, request)
        self.resource = urllib.parse.urljoin(url, location)
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        for _ in range(1000):
            if self.peer.connectionState == "connected":
                return
            await asyncio.sleep(0.02)
        raise TimeoutError(f"{url}: {self.peer.connectionState}")

    async def end(self):
        request = urllib.request.Request(self.resource, method="DELETE")
        await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=10).close())
        await self.peer.close()


def post(request):
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read().decode(), response.headers["Location"]


class Publisher(Session):
    def __init__(self, codec):
        super().__init__()
        self.picture = Picture()
        sender = self.peer.addTransceiver(self.picture, direction="sendonly")
        self.peer.addTransceiver(Tone(), direction="sendonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        sender.setCodecPreferences([one for one in codecs if one.mimeType == f"video/{codec}"])


class Viewer(Session):
    def __init__(self):
        super().__init__()
        self.frames = 0
        self.numbers = []
        self.samples = 0
        self.loudest = 0
        self.tasks = []
        self.peer.on("track", self.track)
        self.peer.addTransceiver("video", direction="recvonly")
        self.peer.addTransceiver("audio", direction="recvonly")

    def track(self, track):
        take = self.see if track.kind == "video" else self.hear
        self.tasks.append(asyncio.ensure_future(self.drain(track, take)))

    async def drain(self, track, take):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            take(frame)

    def see(self, frame):
        self.frames += 1
        self.numbers.append(number_in(frame))

    def hear(self, frame):
        self.samples += frame.samples
        values = struct.unpack(f"<{len(bytes(frame.planes[0])) // 2}h", bytes(frame.planes[0]))
        self.loudest = max(self.loudest, *values)

    def result(self):
        numbers = [number for number in self.numbers if number is not None]
        missing = max(numbers) - min(numbers) + 1 - len(set(numbers)) if numbers else 0
        return {
            "frames": self.frames,
            "numbered": len(numbers),
            "missing": missing,
            "samples": self.samples,
            "loudest": self.loudest,
        }


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--publish")
    arguments.add_argument("--play")
    arguments.add_argument("--codec", default="VP8")
    arguments.add_argument("--seconds", type=float, default=5)
    options = arguments.parse_args()
    result, sessions = {}, []
    if options.publish:
        publisher = Publisher(options.codec)
        await publisher.begin(options.publish)
        sessions.append(publisher)
    if options.play:
        viewer = Viewer()
        await viewer.begin(options.play)
        sessions.append(viewer)
        for _ in range(1000):
            if viewer.frames > 0:
                break
            await asyncio.sleep(0.02)
    print("begun", flush=True)
    before = publisher.picture.count if options.publish else 0
    await asyncio.sleep(options.seconds)
    if options.publish:
        result["sent"] = publisher.picture.count - before
    if options.play:
        result.update(viewer.result())
        report = await viewer.peer.getStats()
        inbound = [one for one in report.values() if one.type == "inbound-rtp"]
        result["lost"] = sum(one.packetsLost for one in inbound)
    for session in sessions:
        await session.end()
    print(json.dumps(result), flush=True)


asyncio.run(main())
