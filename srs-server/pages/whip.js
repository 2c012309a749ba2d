import { Figures, Session, endpoint, fill, say, show } from "./rtc.js";

const form = document.getElementById("form");
const video = document.getElementById("video");
const [start, stop] = [document.getElementById("start"), document.getElementById("stop")];
let publishing = null;

async function publish() {
  await end();
  let media;
  try {
    media = await capture(form.elements.source.value);
  } catch (error) {
    return say(`No picture or sound to send: ${error.message}`, "bad");
  }
  video.srcObject = media;
  const peer = new RTCPeerConnection();
  for (const track of media.getTracks()) add(peer, track, media);
  const session = new Session(endpoint("whip", form), peer, form.elements.token.value.trim());
  const figures = new Figures(peer, (now) => show(document.getElementById("figures"), now));
  publishing = { peer, session, figures, media };
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

function capture(source) {
  if (!navigator.mediaDevices) throw new Error("this page isn't on https:// or http://localhost");
  if (source === "screen") return navigator.mediaDevices.getDisplayMedia({ video: true, audio: true });
  return navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 }, audio: true });
}

function add(peer, track, media) {
  const kbps = Number(form.elements.kbps.value);
  const sendEncodings = track.kind === "video" && kbps > 0 ? [{ maxBitrate: 1000 * kbps }] : undefined;
  const init = { direction: "sendonly", streams: [media], ...(sendEncodings && { sendEncodings }) };
  const transceiver = peer.addTransceiver(track, init);
  if (track.kind === "video") prefer(transceiver, form.elements.codec.value);
}

/** Puts a codec first, if the browser has it. */
function prefer(transceiver, name) {
  if (!name) return;
  const all = RTCRtpSender.getCapabilities("video").codecs;
  const isWanted = (codec) => codec.mimeType.toLowerCase() === `video/${name.toLowerCase()}`;
  if (!all.some(isWanted)) return say(`This browser sends no ${name}; it sends another codec.`, "bad");
  transceiver.setCodecPreferences([...all.filter(isWanted), ...all.filter((codec) => !isWanted(codec))]);
}

async function follow(session, peer) {
  const isOurs = () => publishing?.session === session;
  if (!isOurs()) return;
  switch (peer.connectionState) {
    case "connected":
      return say("On air.", "good");
    case "disconnected":
      return say("The server doesn't answer. Waiting …", "bad");
    case "failed":
      say("The path is lost. Looking for another …", "bad");
      if (!(await session.restart().catch(() => false)) && isOurs()) await publish();
  }
}

async function end() {
  const ended = publishing;
  publishing = null;
  buttons(false);
  if (!ended) return;
  ended.figures.stop();
  video.srcObject = null;
  for (const track of ended.media.getTracks()) track.stop();
  await ended.session.stop();
}

function buttons(isPublishing) {
  start.disabled = isPublishing;
  stop.disabled = !isPublishing;
}

/** The page that plays what is published here. */
function link() {
  const query = new URLSearchParams({ app: form.elements.app.value, stream: form.elements.stream.value });
  document.getElementById("watch").href = `whep.html?${query}`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  publish();
});
form.addEventListener("input", link);
stop.addEventListener("click", () => end().then(() => say("Stopped.")));
addEventListener("pagehide", () => end());
fill(form);
link();
if (new URLSearchParams(location.search).has("autostart")) publish();
