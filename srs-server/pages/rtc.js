// What both pages share: a WHIP or WHEP session, and the figures that tell how it goes.

/** A session of WHIP (RFC 9725) or WHEP: one peer connection and the resource that stands for it. */
class Session {
  /**
   * @param {string} endpoint where the offer goes
   * @param {RTCPeerConnection} peer with its tracks or transceivers added
   * @param {string} token sent as a bearer token, if not empty
   */
  constructor(endpoint, peer, token = "") {
    this.endpoint = new URL(endpoint, location.href);
    this.peer = peer;
    this.token = token;
    this.resource = null;
    this.etag = null;
  }

  /** Offers, and takes the answer. Throws what the server says when it refuses. */
  async start() {
    await this.peer.setLocalDescription();
    const response = await this.request(this.endpoint, "POST", "application/sdp", this.peer.localDescription.sdp);
    if (response.status !== 201) throw new Error(await reason(response));
    const location = response.headers.get("Location");
    this.resource = location ? new URL(location, this.endpoint) : null;
    this.etag = response.headers.get("ETag");
    await this.peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
  }

  /** Moves to another network path without a new session; false if the server can't. */
  async restart() {
    if (!this.resource) return false;
    const offer = await this.peer.createOffer({ iceRestart: true });
    await this.peer.setLocalDescription(offer);
    const headers = { "If-Match": "*" };
    const type = "application/trickle-ice-sdpfrag";
    const response = await this.request(this.resource, "PATCH", type, fragment(offer.sdp), headers);
    if (response.status !== 200) return false;
    this.etag = response.headers.get("ETag") ?? this.etag;
    const answer = replaceCredentials(this.peer.remoteDescription.sdp, await response.text());
    await this.peer.setRemoteDescription({ type: "answer", sdp: answer });
    return true;
  }

  /** Ends the session on both sides. */
  async stop() {
    this.peer.close();
    const resource = this.resource;
    this.resource = null;
    // It may be the page's last deed.
    if (resource) await this.request(resource, "DELETE", null, null, {}, true).catch(() => {});
  }

  request(url, method, type, body, headers = {}, keepalive = false) {
    const all = { ...headers };
    if (type) all["Content-Type"] = type;
    if (this.token) all.Authorization = `Bearer ${this.token}`;
    return fetch(url, { method, headers: all, body, keepalive });
  }
}

/** Why the server refused: the detail of its problem document, or what it sent. */
async function reason(response) {
  const text = await response.text();
  try {
    const problem = JSON.parse(text);
    return problem.detail ?? problem.title ?? text;
  } catch {
    return text || `the server answered ${response.status}`;
  }
}

const ICE_LINES = ["a=ice-ufrag:", "a=ice-pwd:"];

/** The part of an offer that an ICE restart needs (RFC 8840). */
function fragment(sdp) {
  const lines = sdp.split("\r\n");
  const first = lines.findIndex((line) => line.startsWith("m="));
  const section = lines.slice(first);
  const bundle = lines.filter((line) => line.startsWith("a=group:"));
  const credentials = ICE_LINES.map((name) => lines.find((line) => line.startsWith(name)));
  const mid = section.find((line) => line.startsWith("a=mid:"));
  return [...bundle, ...credentials, section[0], mid, ""].join("\r\n");
}

/** The answer in force with the credentials and candidates of a fragment. */
function replaceCredentials(sdp, fresh) {
  const lines = fresh.split(/\r?\n/);
  let result = sdp;
  for (const name of ICE_LINES) {
    const line = lines.find((one) => one.startsWith(name));
    if (line) result = result.replaceAll(new RegExp(`^${name}.*$`, "gm"), line.trim());
  }
  return result;
}

/** Figures of a peer connection, once a second. */
class Figures {
  /** @param {RTCPeerConnection} peer @param {(figures: object) => void} tell */
  constructor(peer, tell) {
    this.peer = peer;
    this.before = new Map();
    this.timer = setInterval(async () => tell(await this.read()), 1000);
  }

  stop() {
    clearInterval(this.timer);
  }

  async read() {
    const stats = await this.peer.getStats();
    const figures = { kbps: 0, packets: 0, lost: 0 };
    for (const one of stats.values()) {
      if (one.type === "inbound-rtp") this.inbound(one, figures, stats);
      if (one.type === "outbound-rtp") this.outbound(one, figures, stats);
      if (one.type === "remote-inbound-rtp") {
        figures.lost += this.since(one, "packetsLost");
        figures.roundTrip = milliseconds(one.roundTripTime) ?? figures.roundTrip;
      }
      if (one.type === "candidate-pair" && one.nominated) {
        figures.roundTrip = milliseconds(one.currentRoundTripTime) ?? figures.roundTrip;
      }
    }
    figures.loss = figures.packets > 0 ? (100 * figures.lost) / (figures.packets + figures.lost) : 0;
    return figures;
  }

  inbound(one, figures, stats) {
    figures.kbps += this.rate(one, "bytesReceived");
    figures.packets += this.since(one, "packetsReceived");
    figures.lost += this.since(one, "packetsLost");
    if (one.kind !== "video") return;
    this.picture(one, figures, stats);
    figures.decoded = one.framesDecoded;
    figures.dropped = one.framesDropped;
    const delay = this.since(one, "jitterBufferDelay") / this.since(one, "jitterBufferEmittedCount", "count");
    figures.buffer = milliseconds(Number.isFinite(delay) ? delay : undefined);
    // Both clocks have to tell the same time for this; a second machine's may not.
    const played = one.estimatedPlayoutTimestamp;
    const age = played ? one.timestamp + NTP_OFFSET - played : undefined;
    figures.latency = age > 0 && age < 20_000 ? age : undefined;
  }

  outbound(one, figures, stats) {
    figures.kbps += this.rate(one, "bytesSent");
    figures.packets += this.since(one, "packetsSent");
    if (one.kind === "video") {
      this.picture(one, figures, stats);
      figures.limited = one.qualityLimitationReason;
    }
  }

  picture(one, figures, stats) {
    figures.rate = one.framesPerSecond;
    figures.size = one.frameWidth ? `${one.frameWidth} × ${one.frameHeight}` : undefined;
    figures.codec = stats.get(one.codecId)?.mimeType.replace("video/", "");
  }

  /** How much a counter grew since the last look. */
  since(one, name, use = "value") {
    const key = `${one.id} ${name} ${use}`;
    const now = one[name] ?? 0;
    const grown = now - (this.before.get(key) ?? now);
    this.before.set(key, now);
    return grown;
  }

  /** Kilobits a second. */
  rate(one, name) {
    const [bytes, time] = [this.since(one, name), this.since(one, "timestamp", name)];
    return time > 0 ? (8 * bytes) / time : 0;
  }
}

/** From 1900, where NTP's time begins, to 1970. */
const NTP_OFFSET = 2_208_988_800_000;

function milliseconds(seconds) {
  return seconds === undefined ? undefined : 1000 * seconds;
}

/** Shows figures in a list of definitions: each has the figure's name in `data-figure`. */
function show(list, figures) {
  const texts = {
    kbps: `${Math.round(figures.kbps)} kbit/s`,
    loss: `${figures.loss.toFixed(1)} %`,
    roundTrip: rounded(figures.roundTrip, "ms"),
    latency: rounded(figures.latency ?? estimate(figures), "ms"),
    rate: rounded(figures.rate, "fps"),
    size: figures.size,
    codec: figures.codec,
    dropped: figures.dropped?.toString(),
    limited: figures.limited,
  };
  for (const place of list.querySelectorAll("[data-figure]")) {
    place.textContent = texts[place.dataset.figure] ?? "–";
  }
}

/** Where the publisher's clock isn't known: half a round trip, and the wait in the buffer. */
function estimate(figures) {
  return figures.buffer === undefined ? undefined : figures.buffer + (figures.roundTrip ?? 0) / 2;
}

function rounded(value, unit) {
  return value === undefined ? undefined : `${Math.round(value)} ${unit}`;
}

/** A page that has one session at a time, which its form begins and a button ends. */
export class Page {
  /**
   * @param {"whip" | "whep"} kind what the session is
   * @param {object} its what the page does and says: `open(peer, form)` adds tracks or transceivers, and may throw why
   *   it can't; `close()` lets go of what it opened; `connected` and `silent` say how it goes
   */
  constructor(kind, its) {
    this.kind = kind;
    this.its = its;
    this.live = null;
    this.form = document.getElementById("form");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    this.button("stop").addEventListener("click", () => this.stop().then(() => say("Stopped.")));
    addEventListener("pagehide", () => this.stop());
    this.fill();
    if (new URLSearchParams(location.search).has("autostart")) this.start();
  }

  async start() {
    await this.stop();
    const peer = new RTCPeerConnection();
    const session = new Session(this.endpoint(), peer, this.form.elements.token.value.trim());
    const figures = new Figures(peer, (now) => show(document.getElementById("figures"), now));
    this.live = { session, figures };
    this.enable();
    peer.onconnectionstatechange = () => this.follow(session);
    try {
      await this.its.open(peer, this.form);
      if (!this.isLive(session)) return;
      say("Connecting …");
      await session.start();
    } catch (error) {
      // Who was stopped meanwhile has nothing to say.
      if (!this.isLive(session)) return;
      await this.stop();
      say(error.message, "bad");
    }
  }

  async follow(session) {
    if (!this.isLive(session)) return;
    switch (session.peer.connectionState) {
      case "connected":
        return say(this.its.connected, "good");
      case "disconnected":
        return say(this.its.silent, "bad");
      case "failed":
        say("The path is lost. Looking for another …", "bad");
        if (!(await session.restart().catch(() => false)) && this.isLive(session)) await this.start();
    }
  }

  async stop() {
    const ended = this.live;
    this.live = null;
    this.enable();
    if (!ended) return;
    ended.figures.stop();
    this.its.close();
    await ended.session.stop();
  }

  isLive(session) {
    return this.live?.session === session;
  }

  enable() {
    this.button("start").disabled = this.live !== null;
    this.button("stop").disabled = this.live === null;
  }

  button(id) {
    return document.getElementById(id);
  }

  /** The endpoint that the form names. */
  endpoint() {
    const part = (name) => encodeURIComponent(this.form.elements[name].value.trim());
    const query = this.form.elements.query.value.trim().replace(/^\?/, "");
    return `/${this.kind}/${part("app")}/${part("stream")}${query ? `?${query}` : ""}`;
  }

  /** Fills the form from the page's address, so that a link can name a stream. */
  fill() {
    for (const [name, value] of new URLSearchParams(location.search)) {
      if (this.form.elements[name]) this.form.elements[name].value = value;
    }
  }
}

/** Says how things are; `mood` is `good`, `bad` or nothing. */
function say(text, mood = "") {
  const state = document.getElementById("state");
  state.textContent = text;
  state.className = mood;
}
