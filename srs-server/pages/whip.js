import { Page } from "./rtc.js";

const video = document.getElementById("video");
let media = null;

async function open(peer, form) {
  let captured;
  try {
    captured = await capture(form.elements);
    await offer(form.elements);
  } catch (error) {
    throw new Error(`No picture or sound to send: ${error.message}`);
  }
  // Who stopped before the browser gave the camera wants it no more.
  if (peer.signalingState === "closed") return release(captured);
  media = captured;
  video.srcObject = media;
  for (const track of media.getTracks()) add(peer, track, form);
}

function close() {
  video.srcObject = null;
  if (media) release(media);
  media = null;
}

function release(captured) {
  for (const track of captured.getTracks()) track.stop();
}

function capture({ source, camera, microphone }) {
  if (!navigator.mediaDevices) throw new Error("this page isn't on https:// or http://localhost");
  if (source.value === "screen") return navigator.mediaDevices.getDisplayMedia({ video: true, audio: true });
  const exactly = ({ value }) => (value ? { deviceId: { exact: value } } : {});
  return navigator.mediaDevices.getUserMedia({
    video: { width: 1280, height: 720, ...exactly(camera) },
    audio: exactly(microphone),
  });
}

/** Lists the devices to choose from. Browsers tell their names once one of them may be used. */
async function offer({ camera, microphone }) {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  for (const [choice, kind] of [[camera, "videoinput"], [microphone, "audioinput"]]) {
    const chosen = choice.value;
    const known = devices.filter((device) => device.kind === kind && device.deviceId);
    const options = known.map(({ label, deviceId }) => new Option(label || deviceId.slice(0, 8), deviceId));
    choice.replaceChildren(choice.options[0], ...options);
    choice.value = known.some(({ deviceId }) => deviceId === chosen) ? chosen : "";
  }
}

function add(peer, track, form) {
  const kbps = Number(form.elements.kbps.value);
  const sendEncodings = track.kind === "video" && kbps > 0 ? [{ maxBitrate: 1000 * kbps }] : undefined;
  const init = { direction: "sendonly", streams: [media], ...(sendEncodings && { sendEncodings }) };
  const transceiver = peer.addTransceiver(track, init);
  if (track.kind === "video") prefer(transceiver, form.elements.codec.value);
}

/** Puts a codec first, if the browser has it; which one is sent is among the figures. */
function prefer(transceiver, name) {
  const all = RTCRtpSender.getCapabilities("video").codecs;
  const isWanted = (codec) => codec.mimeType.toLowerCase() === `video/${name.toLowerCase()}`;
  if (!all.some(isWanted)) return;
  transceiver.setCodecPreferences([...all.filter(isWanted), ...all.filter((codec) => !isWanted(codec))]);
}

/** The page that plays what is published here. */
function link(form) {
  const query = new URLSearchParams({ app: form.elements.app.value, stream: form.elements.stream.value });
  document.getElementById("watch").href = `whep.html?${query}`;
}

const page = new Page("whip", {
  open,
  close,
  connected: "On air.",
  silent: "The server doesn't answer. Waiting …",
});
page.form.addEventListener("input", () => link(page.form));
link(page.form);
offer(page.form.elements);
navigator.mediaDevices?.addEventListener("devicechange", () => offer(page.form.elements));
