//! How a browser's sessions begin, move, end, and follow one another.

use std::time::Duration;

use super::{Browser, server, stream};
use crate::support::{TestServer, wait_for};

/// Begins to publish, and waits until it is on air.
const PUBLISH: &str = "
    kept.source ??= new Source();
    kept.publisher = new Publisher(kept.source, { codec: 'VP8' });
    await kept.publisher.begin(whip);
    await kept.publisher.connected();
";
/// Begins to play, and waits until it is connected.
const PLAY: &str = "
    kept.viewer = new Viewer();
    await kept.viewer.begin(whep);
    await kept.viewer.connected();
";

/// Waits until so many publishers and viewers of a stream are known.
#[track_caller]
fn wait_for_clients(server: &TestServer, name: &str, publishers: usize, viewers: usize) {
    let count = |kind| server.clients(name, kind).len();
    let what = format!("{publishers} publishers and {viewers} viewers of {name}");
    wait_for(&what, Duration::from_secs(10), || {
        ((count("rtc-publish"), count("rtc-play")) == (publishers, viewers)).then_some(())
    });
}

#[test]
fn viewer_may_come_before_the_publisher() {
    let server = server();
    let browser = Browser::start();
    let seen = browser.run(format!(
        "{}{PLAY}
        const early = kept.viewer.frames.length;
        {PUBLISH}
        await kept.viewer.more(30);
        await until('sound', async () => (await kept.viewer.flow('inbound-rtp', 'audio')).totalAudioEnergy > 0);
        return {{ early, ...summary(kept.publisher, kept.viewer) }};",
        stream(&server, "early")
    ));
    assert_eq!(seen["early"], 0, "{seen:#}");
    assert!(seen["seen"].as_u64() >= Some(30), "{seen:#}");
    wait_for_clients(&server, "early", 1, 1);
}

#[test]
fn viewer_stays_while_the_publisher_leaves_and_returns() {
    let server = server();
    let browser = Browser::start();
    let seen = browser.run(format!(
        "{}{PUBLISH}{PLAY}
        await kept.viewer.more(30);
        if (await kept.publisher.end() !== 200) throw new Error('it does not end');
        kept.publisher.close();
        await sleep(1000);
        const away = kept.viewer.frames.length;
        await sleep(500);
        const still = kept.viewer.frames.length;
        const first = kept.source.count;
        {PUBLISH}
        await kept.viewer.more(60);
        const after = kept.viewer.frames.slice(still).map(({{ number }}) => number);
        return {{
            away, still, first, after,
            connected: kept.viewer.peer.connectionState,
            lost: (await kept.viewer.flow('inbound-rtp', 'video')).packetsLost,
        }};",
        stream(&server, "returns")
    ));
    assert_eq!(seen["away"], seen["still"], "nobody publishes: {seen:#}");
    assert_eq!(seen["connected"], "connected", "{seen:#}");
    // To the viewer it is one stream, in which nothing is lost.
    assert_eq!(seen["lost"], 0, "{seen:#}");
    let first = seen["first"].as_u64().unwrap();
    let after: Vec<u64> = serde_json::from_value(seen["after"].clone()).unwrap();
    assert!(after.iter().all(|number| *number >= first), "an old picture: {seen:#}");
    wait_for_clients(&server, "returns", 1, 1);
}

#[test]
fn reloaded_page_publishes_again_at_once() {
    let server = server();
    let browser = Browser::start();
    let publish = format!("{}{PUBLISH}", stream(&server, "reload"));
    browser.run(&*publish);
    let before = server.wait_for_client("reload", "rtc-publish");
    browser.reload();
    let seen = browser.run(format!(
        "{publish}{PLAY}
        await kept.viewer.more(30);
        return summary(kept.publisher, kept.viewer);"
    ));
    assert_eq!(seen["damaged"], 0, "{seen:#}");
    wait_for_clients(&server, "reload", 1, 1);
    assert_ne!(server.wait_for_client("reload", "rtc-publish"), before);
}

#[test]
fn publisher_that_crashed_returns_where_a_second_is_refused() {
    let server = TestServer::configured(
        "rtc_server { enabled on; listen 0; candidate 127.0.0.1; }
        vhost __defaultVhost__ { rtc { enabled on; } }",
    );
    let browser = Browser::start();
    let streams = stream(&server, "crash");
    browser.run(format!("{streams}{PUBLISH}"));
    let busy = browser.run(format!(
        "{streams}
        try {{
            await new Publisher(kept.source).begin(whip);
        }} catch (error) {{
            return error.message;
        }}"
    ));
    assert!(busy.as_str().is_some_and(|text| text.starts_with("409: ")), "{busy}");
    // It says goodbye to nobody, and its old session is only silent.
    drop(browser);
    let browser = Browser::start();
    let seen = browser.run(format!(
        "{streams}
        kept.source = new Source();
        await until('place', async () => {{
            try {{
                {PUBLISH}
                return true;
            }} catch (error) {{
                if (!error.message.startsWith('409: ')) throw error;
            }}
        }}, 15000);
        {PLAY}
        await kept.viewer.more(30);
        return summary(kept.publisher, kept.viewer);"
    ));
    assert_eq!(seen["damaged"], 0, "{seen:#}");
    wait_for_clients(&server, "crash", 1, 1);
}

#[test]
fn viewers_get_what_they_ask_for() {
    let server = server();
    let browser = Browser::start();
    let seen = browser.run(format!(
        "{}{PUBLISH}
        await sleep(2000);
        const wishes = [{{}}, {{ video: false }}, {{ audio: false }}];
        const viewers = await Promise.all(wishes.map(async (wish) => {{
            const viewer = new Viewer(wish);
            const begun = performance.now();
            await viewer.begin(whep);
            await viewer.connected();
            if (wish.video ?? true) await viewer.more(1);
            viewer.join = performance.now() - begun;
            return viewer;
        }}));
        await sleep(3000);
        return Promise.all(viewers.map(async (viewer) => ({{
            join: viewer.join,
            frames: viewer.frames.length,
            energy: (await viewer.flow('inbound-rtp', 'audio'))?.totalAudioEnergy ?? null,
        }})));",
        stream(&server, "wishes")
    ));
    eprintln!("first picture after {:.0} ms", seen[0]["join"].as_f64().unwrap());
    for place in [0, 2] {
        assert!(seen[place]["frames"].as_u64() > Some(40), "{seen:#}");
    }
    for place in [0, 1] {
        assert!(seen[place]["energy"].as_f64() > Some(0.0), "{seen:#}");
    }
    assert_eq!(seen[1]["frames"], 0, "{seen:#}");
    assert!(seen[2]["energy"].is_null(), "{seen:#}");
    wait_for_clients(&server, "wishes", 1, 3);
}

#[test]
fn both_sides_begin_ice_anew() {
    let server = server();
    let browser = Browser::start();
    let seen = browser.run(format!(
        "{}{PUBLISH}{PLAY}
        await kept.viewer.more(30);
        const fragments = async () => Promise.all(
            [kept.publisher, kept.viewer].map(async (session) => (await session.path()).iceLocalUsernameFragment));
        const before = await fragments();
        const theirs = [await kept.viewer.restart(), await kept.publisher.restart()];
        await until('new fragments', async () => {{
            const now = await fragments();
            return now.every((fragment, index) => fragment !== before[index]);
        }});
        // What was agreed of old is forgotten by now.
        await sleep(6000);
        const from = kept.viewer.frames.length;
        await kept.viewer.more(60);
        return {{
            theirs,
            states: [kept.publisher.peer.connectionState, kept.viewer.peer.connectionState],
            ...summary(kept.publisher, kept.viewer),
        }};",
        stream(&server, "restart")
    ));
    assert_eq!(seen["states"][0], "connected", "{seen:#}");
    assert_eq!(seen["states"][1], "connected", "{seen:#}");
    assert_ne!(seen["theirs"][0], seen["theirs"][1], "{seen:#}");
    assert!(seen["freeze"].as_f64().unwrap() < 2000.0, "{seen:#}");
    wait_for_clients(&server, "restart", 1, 1);
}

#[test]
fn deleted_session_ends_on_both_sides() {
    let server = server();
    let browser = Browser::start();
    let begin = format!("{}{PUBLISH}{PLAY}", stream(&server, "deleted"));
    browser.run(format!("{begin} await kept.viewer.more(10);"));
    wait_for_clients(&server, "deleted", 1, 1);
    // The peer is told, which is faster than to find it out.
    let end = |who: &str| {
        browser.run(format!(
            "const session = kept.{who};
            const status = await session.end();
            const begun = performance.now();
            const [transceiver] = session.peer.getTransceivers();
            const {{ transport }} = '{who}' === 'viewer' ? transceiver.receiver : transceiver.sender;
            await until('end of DTLS', () => transport.state === 'closed', 10000);
            return {{ status, ms: performance.now() - begun, again: await session.end() }};"
        ))
    };
    let ended = end("viewer");
    assert_eq!(ended["status"], 200, "{ended}");
    assert_eq!(ended["again"], 404, "{ended}");
    wait_for_clients(&server, "deleted", 1, 0);
    let ended = end("publisher");
    assert_eq!(ended["status"], 200, "{ended}");
    wait_for_clients(&server, "deleted", 0, 0);
}
