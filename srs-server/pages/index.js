// The streams that are live, as the server's API tells, each with a link to watch it.

/** The API's port where it has one of its own; the page's address may name another. */
const PORT = Number(new URLSearchParams(location.search).get("api")) || 1985;
/** Where the API may be. */
const PLACES = [location.origin, `${location.protocol}//${location.hostname}:${PORT}`];
/** How often it is asked, in milliseconds. */
const EVERY = 3000;

const list = document.getElementById("streams");
const state = document.getElementById("state");

/** The live streams; null where no API answers. */
async function streams() {
  for (const place of PLACES) {
    try {
      const response = await fetch(`${place}/api/v1/streams/?count=100`);
      const answer = await response.json();
      if (answer.code === 0) return answer.streams.filter((stream) => stream.publish.active);
    } catch {
      // Not there.
    }
  }
  return null;
}

/** A line of the list. Names are the publishers': they are text, and never markup. */
function line(stream) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  const query = new URLSearchParams({ app: stream.app, stream: stream.name });
  link.href = `whep.html?${query}&autostart`;
  link.textContent = `${stream.app}/${stream.name}`;
  const facts = document.createElement("span");
  facts.textContent = [
    stream.video && picture(stream.video),
    stream.audio?.codec,
    `${stream.kbps.recv_30s} kbit/s`,
    `${Math.max(0, stream.clients - 1)} watching`,
  ].filter(Boolean).join(" · ");
  item.append(link, facts);
  return item;
}

function picture({ codec, width, height }) {
  return width > 0 ? `${codec} ${width} × ${height}` : codec;
}

async function refresh() {
  const live = await streams();
  list.replaceChildren(...(live ?? []).map(line));
  if (live === null) state.textContent = "The server's API doesn't answer here: it may be off, or ask for a password.";
  else state.textContent = live.length === 0 ? "Nobody publishes anything." : "";
}

refresh();
setInterval(refresh, EVERY);
