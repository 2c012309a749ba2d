import { Page } from "./rtc.js";

const video = document.getElementById("video");

function open(peer) {
  const media = new MediaStream();
  peer.addTransceiver("video", { direction: "recvonly" });
  peer.addTransceiver("audio", { direction: "recvonly" });
  peer.ontrack = (event) => {
    media.addTrack(event.track);
    video.srcObject = media;
    // Sound may only start by a click; the picture may start at any time.
    video.play().catch(() => {});
  };
}

function close() {
  video.srcObject = null;
}

document.getElementById("form").addEventListener("submit", () => (video.muted = false));
new Page("whep", { open, close, connected: "Connected.", silent: "No packets come. Waiting …" });
