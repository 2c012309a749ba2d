import { Figures, Session, endpoint, fill, say, show } from "./rtc.js";

const form = document.getElementById("form");
const video = document.getElementById("video");
const [start, stop] = [document.getElementById("start"), document.getElementById("stop")];
let playing = null;

async function play() {
  await end();
  const peer = new RTCPeerConnection();
  const media = new MediaStream();
  peer.addTransceiver("video", { direction: "recvonly" });
  peer.addTransceiver("audio", { direction: "recvonly" });
  peer.ontrack = (event) => {
    media.addTrack(event.track);
    video.srcObject = media;
    // Sound may only start by a click; the picture may start at any time.
    video.play().catch(() => {});
  };
  const session = new Session(endpoint("whep", form), peer, form.elements.token.value.trim());
  const figures = new Figures(peer, (now) => show(document.getElementById("figures"), now));
  playing = { peer, session, figures };
  peer.onconnectionstatechange = () => follow(session, peer);
  say("Connecting …");
  buttons(true);
  try {
    await session.start();
  } catch (error) {
    await end();
    say(error.message, "bad");
  }
}

async function follow(session, peer) {
  const isOurs = () => playing?.session === session;
  if (!isOurs()) return;
  switch (peer.connectionState) {
    case "connected":
      return say("Connected.", "good");
    case "disconnected":
      return say("No packets come. Waiting …", "bad");
    case "failed":
      say("The path is lost. Looking for another …", "bad");
      if (!(await session.restart().catch(() => false)) && isOurs()) await play();
  }
}

async function end() {
  const ended = playing;
  playing = null;
  buttons(false);
  if (!ended) return;
  ended.figures.stop();
  video.srcObject = null;
  await ended.session.stop();
}

function buttons(isPlaying) {
  start.disabled = isPlaying;
  stop.disabled = !isPlaying;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  video.muted = false;
  play();
});
stop.addEventListener("click", () => end().then(() => say("Stopped.")));
addEventListener("pagehide", () => end());
fill(form);
if (new URLSearchParams(location.search).has("autostart")) play();
