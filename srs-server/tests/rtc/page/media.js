// A source whose every frame has its number in it, and WHIP and WHEP clients that need no server of
// their own: they are written for the tests, apart from the players that the server brings.

const [WIDTH, HEIGHT] = [320, 240];
const BITS = 16;
/** Blocks of a frame's number: large enough to survive any encoder. */
const SIDE = WIDTH / BITS;
const RATE = 30;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `ready` gives something. */
export async function until(what, ready, limit = 20_000) {
  const deadline = performance.now() + limit;
  for (;;) {
    const value = await ready();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`no ${what} within ${limit} ms`);
    await sleep(20);
  }
}

/** A picture with a counter and a clock, and a tone. */
export class Source {
  constructor({ video = true, audio = true, hertz = 1000, scale = 1 } = {}) {
    /** When each frame was drawn, by its number. */
    this.drawn = new Map();
    this.count = 0;
    this.stream = new MediaStream();
    if (video) this.#picture(scale);
    if (audio) this.#tone(hertz);
  }

  #picture(scale) {
    const canvas = document.createElement("canvas");
    document.body.append(canvas);
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.resize(scale);
    const [track] = canvas.captureStream(0).getVideoTracks();
    this.stream.addTrack(track);
    this.timer = setInterval(() => {
      this.#draw();
      track.requestFrame();
    }, 1000 / RATE);
  }

  /** Draws in so many times the size from now on. */
  resize(scale) {
    Object.assign(this.context.canvas, { width: scale * WIDTH, height: scale * HEIGHT });
    this.context.scale(scale, scale);
  }

  #draw() {
    const { context } = this;
    this.count += 1;
    context.fillStyle = "#446";
    context.fillRect(0, 0, WIDTH, HEIGHT);
    // Something that moves, so that frames differ by more than a few blocks.
    context.fillStyle = `hsl(${(this.count * 3) % 360} 80% 50%)`;
    context.fillRect((this.count * 5) % WIDTH, 3 * SIDE, 40, HEIGHT);
    context.fillStyle = "white";
    context.font = "24px monospace";
    context.fillText(new Date().toISOString().slice(11, 23), 60, 160);
    // The number, and below it its complement, by which a damaged one is told.
    for (let bit = 0; bit < BITS; bit += 1) {
      const isSet = (this.count >> bit) & 1;
      context.fillStyle = isSet ? "white" : "black";
      context.fillRect(bit * SIDE, 0, SIDE, SIDE);
      context.fillStyle = isSet ? "black" : "white";
      context.fillRect(bit * SIDE, SIDE, SIDE, SIDE);
    }
    this.drawn.set(this.count, performance.now());
  }

  #tone(hertz) {
    const context = new AudioContext();
    const oscillator = new OscillatorNode(context, { frequency: hertz });
    const gain = new GainNode(context, { gain: 0.5 });
    const destination = context.createMediaStreamDestination();
    oscillator.connect(gain).connect(destination);
    oscillator.start();
    this.audio = context;
    this.stream.addTrack(destination.stream.getAudioTracks()[0]);
  }

  stop() {
    clearInterval(this.timer);
    this.audio?.close();
    for (const track of this.stream.getTracks()) track.stop();
  }
}

/** The number in a frame; null where it can't be read. */
function numberIn(context) {
  const { data } = context.getImageData(0, 0, WIDTH, 2 * SIDE);
  const at = (x, y) => data[4 * (Math.floor(y) * WIDTH + Math.floor(x))];
  let number = 0;
  for (let bit = 0; bit < BITS; bit += 1) {
    const x = (bit + 0.5) * SIDE;
    const [upper, lower] = [at(x, SIDE / 2), at(x, 1.5 * SIDE)];
    if (Math.abs(upper - lower) < 60) return null;
    if (upper > lower) number |= 1 << bit;
  }
  return number;
}

/** A session: a peer connection, and the resource that stands for it. */
class Session {
  constructor() {
    this.peer = new RTCPeerConnection();
  }

  async begin(url) {
    this.url = url;
    await this.peer.setLocalDescription();
    const body = this.peer.localDescription.sdp;
    const headers = { "Content-Type": "application/sdp" };
    const response = await fetch(url, { method: "POST", headers, body });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`${response.status}: ${text}`);
    this.resource = new URL(response.headers.get("Location"), url);
    this.etag = response.headers.get("ETag");
    this.answer = text;
    await this.peer.setRemoteDescription({ type: "answer", sdp: text });
  }

  /** Begins as SRS's own players do: by JSON. */
  async beginAsSrs(api, streamurl) {
    await this.peer.setLocalDescription();
    const body = JSON.stringify({ api, streamurl, sdp: this.peer.localDescription.sdp });
    const response = await fetch(api, { method: "POST", body });
    const answer = await response.json();
    if (answer.code !== 0) throw new Error(JSON.stringify(answer));
    await this.peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    return answer.sessionid;
  }

  connected(limit) {
    return until("connection", () => this.peer.connectionState === "connected", limit);
  }

  /** Asks for the end, which the server has to tell the peer; the status. */
  async end() {
    return (await fetch(this.resource, { method: "DELETE" })).status;
  }

  /** Begins ICE anew by a fragment; the server's new user name fragment. */
  async restart() {
    const own = (sdp, name) => new RegExp(`^a=${name}:(.*)$`, "m").exec(sdp)[1].trim();
    await this.peer.setLocalDescription(await this.peer.createOffer({ iceRestart: true }));
    const { sdp } = this.peer.localDescription;
    const media = /^m=.*$/m.exec(sdp)[0].trim();
    const lines = [
      /^a=group:.*$/m.exec(sdp)[0].trim(),
      `a=ice-ufrag:${own(sdp, "ice-ufrag")}`,
      `a=ice-pwd:${own(sdp, "ice-pwd")}`,
      media,
      `a=mid:${own(sdp, "mid")}`,
      "",
    ];
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*" };
    const response = await fetch(this.resource, { method: "PATCH", headers, body: lines.join("\r\n") });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
    let answer = this.answer;
    for (const name of ["ice-ufrag", "ice-pwd"]) {
      answer = answer.replaceAll(new RegExp(`^a=${name}:.*$`, "gm"), `a=${name}:${own(text, name)}`);
    }
    this.answer = answer;
    await this.peer.setRemoteDescription({ type: "answer", sdp: answer });
    return own(text, "ice-ufrag");
  }

  /** The entries of the statistics of a type, of one kind of media where one is named. */
  async stats(type, kind) {
    const all = [...(await this.peer.getStats()).values()];
    return all.filter((one) => one.type === type && (!kind || one.kind === kind));
  }

  /** What is sent or received of a kind of media, with the codec's name. */
  async flow(direction, kind) {
    const report = await this.peer.getStats();
    const [one] = [...report.values()].filter((one) => one.type === direction && one.kind === kind);
    return one && { ...one, codec: report.get(one.codecId)?.mimeType };
  }

  /** What the sender takes the way to the server to carry, in bits a second. */
  async estimate() {
    const report = await this.peer.getStats();
    const [transport] = [...report.values()].filter((one) => one.type === "transport");
    return report.get(transport.selectedCandidatePairId)?.availableOutgoingBitrate;
  }

  /** The way in use: protocol and the server's address, and what is known of the transport. */
  async path() {
    const report = await this.peer.getStats();
    const [transport] = [...report.values()].filter((one) => one.type === "transport");
    const pair = report.get(transport.selectedCandidatePairId);
    const remote = report.get(pair.remoteCandidateId);
    return { ...transport, protocol: remote.protocol, address: remote.address };
  }

  close() {
    this.peer.close();
  }
}

export class Publisher extends Session {
  constructor(source, { codec, encodings } = {}) {
    super();
    this.source = source;
    for (const track of source.stream.getTracks()) {
      const init = { direction: "sendonly", streams: [source.stream] };
      if (track.kind === "video" && encodings) init.sendEncodings = encodings;
      const transceiver = this.peer.addTransceiver(track, init);
      if (track.kind === "video" && codec) {
        const { codecs } = RTCRtpSender.getCapabilities("video");
        const wanted = codecs.filter(({ mimeType }) => mimeType === `video/${codec}`);
        if (wanted.length === 0) throw new Error(`this browser sends no ${codec}`);
        const repair = codecs.filter(({ mimeType }) => mimeType === "video/rtx");
        transceiver.setCodecPreferences([...wanted, ...repair]);
      }
    }
  }
}

export class Viewer extends Session {
  constructor({ video = true, audio = true } = {}) {
    super();
    /** Of every frame that was decoded: its number, its width, and when it was to be seen. */
    this.frames = [];
    this.damaged = 0;
    /** When the sound became loud. */
    this.beeps = [];
    this.stream = new MediaStream();
    this.element = Object.assign(document.createElement("video"), { autoplay: true, muted: false });
    document.body.append(this.element);
    this.peer.ontrack = ({ track }) => {
      this.stream.addTrack(track);
      this.element.srcObject = this.stream;
      this.element.play().catch(() => {});
      if (track.kind === "video") this.#watch(track);
      else this.#listen(track);
    };
    if (video) this.peer.addTransceiver("video", { direction: "recvonly" });
    if (audio) this.peer.addTransceiver("audio", { direction: "recvonly" });
  }

  /** Reads every frame, also those that a loaded machine would not have painted. */
  async #watch(track) {
    const context = new OffscreenCanvas(WIDTH, 2 * SIDE).getContext("2d", { willReadFrequently: true });
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 60 }).readable.getReader();
    for (;;) {
      const { done, value: frame } = await reader.read();
      if (done) return;
      const now = performance.now();
      context.drawImage(frame, 0, 0, WIDTH, HEIGHT);
      const width = frame.displayWidth;
      frame.close();
      const number = numberIn(context);
      if (number === null) this.damaged += 1;
      else this.frames.push({ number, width, now });
    }
  }

  #listen(track) {
    this.audio = new AudioContext();
    this.analyser = new AnalyserNode(this.audio, { fftSize: 8192 });
    this.audio.createMediaStreamSource(new MediaStream([track])).connect(this.analyser);
    this.#hear(track.clone());
  }

  /** Notes when the sound becomes loud, as it is played. */
  async #hear(track) {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    let isLoud = true;
    for (;;) {
      const { done, value: sound } = await reader.read();
      if (done) return;
      const samples = new Float32Array(sound.numberOfFrames);
      sound.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      sound.close();
      const level = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
      if (level > 0.2 && !isLoud) this.beeps.push(performance.now());
      isLoud = level > 0.2;
    }
  }

  /** Waits for so many frames more. */
  more(count, limit = 20_000) {
    const enough = this.frames.length + count;
    return until(`${count} more frames`, () => this.frames.length >= enough, limit);
  }

  /** The loudest frequency, in hertz. */
  hertz() {
    const levels = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatFrequencyData(levels);
    const loudest = levels.reduce((best, level, bin) => (level > levels[best] ? bin : best), 0);
    return (loudest * this.audio.sampleRate) / this.analyser.fftSize;
  }
}

/** A player of HTTP-FLV: mpegts.js, as its users have it. */
export class FlvPlayer {
  constructor() {
    /** Of the frames that were painted: their numbers, and when. */
    this.frames = [];
    this.damaged = 0;
    this.errors = [];
    this.element = Object.assign(document.createElement("video"), { autoplay: true });
    document.body.append(this.element);
    this.context = new OffscreenCanvas(WIDTH, 2 * SIDE).getContext("2d", { willReadFrequently: true });
  }

  async begin(url) {
    await library("mpegts.js");
    const { mpegts } = window;
    this.player = mpegts.createPlayer({ type: "flv", isLive: true, url }, { enableStashBuffer: false });
    this.player.on(mpegts.Events.ERROR, (...error) => this.errors.push(error.join(" ")));
    this.player.attachMediaElement(this.element);
    this.#watch();
    this.player.load();
    await this.player.play();
  }

  #watch() {
    this.element.requestVideoFrameCallback((now) => {
      this.context.drawImage(this.element, 0, 0, WIDTH, HEIGHT);
      const number = numberIn(this.context);
      if (number === null) this.damaged += 1;
      else this.frames.push({ number, now });
      this.#watch();
    });
  }

  /** Where it is, in seconds, and what was decoded since it began. */
  progress() {
    const { element } = this;
    return {
      time: element.currentTime,
      pictures: element.webkitDecodedFrameCount,
      soundBytes: element.webkitAudioDecodedByteCount,
    };
  }
}

/** Runs a script that lies beside the page, once. */
function library(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: name, onload: resolve, onerror: () => reject(new Error(`no ${name}`)) });
    document.head.append(script);
  });
}

/** Publishes and plays for some seconds: what was drawn, sent, received, decoded and heard. */
export async function measure(publisher, viewer, seconds) {
  const look = async () => {
    const sent = await publisher.flow("outbound-rtp", "video");
    const got = await viewer.flow("inbound-rtp", "video");
    return { drawn: publisher.source.count, sent: sent?.framesEncoded, got: got?.framesDecoded };
  };
  if (viewer.frames.length === 0 && viewer.peer.getTransceivers().some((one) => one.receiver.track.kind === "video")) {
    await viewer.more(1);
    // What was sent while it joined is behind it then.
    await sleep(500);
  }
  const before = await look();
  await sleep(1000 * seconds);
  const after = await look();
  const grown = (name) => after[name] - before[name];
  return {
    ...summary(publisher, viewer),
    drawn: grown("drawn"),
    sent: grown("sent"),
    got: grown("got"),
    everDrawn: after.drawn,
    everSent: after.sent,
    everGot: after.got,
    video: await viewer.flow("inbound-rtp", "video"),
    audio: await viewer.flow("inbound-rtp", "audio"),
    out: await publisher.flow("outbound-rtp", "video"),
    estimate: await publisher.estimate(),
    hertz: viewer.analyser ? viewer.hertz() : null,
  };
}

/** What the numbers of the frames tell. */
export function summary(publisher, viewer) {
  const { frames } = viewer;
  const numbers = new Set(frames.map(({ number }) => number));
  const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
  const delays = frames.map(({ number, now }) => now - publisher.source.drawn.get(number));
  delays.sort((a, b) => a - b);
  let backward = 0;
  let freeze = 0;
  for (let index = 1; index < frames.length; index += 1) {
    if (frames[index].number < frames[index - 1].number) backward += 1;
    freeze = Math.max(freeze, frames[index].now - frames[index - 1].now);
  }
  return {
    seen: numbers.size,
    missing: numbers.size > 0 ? last - first + 1 - numbers.size : 0,
    backward,
    freeze,
    damaged: viewer.damaged,
    delay: delays[Math.floor(delays.length / 2)] ?? null,
    delay99: delays[Math.floor(delays.length * 0.99)] ?? null,
  };
}
