//! HTTP-FLV in a browser, by the player that most pages have for it.

use serde_json::Value;

use super::{Browser, server, stream};
use crate::support::{Clip, Ffmpeg, clip};

/// Plays the stream for some seconds, on after `begin`, which publishes it or waits for it.
const PLAY: &str = "
    const player = new FlvPlayer();
    await player.begin(flv);
    await until('a picture', () => player.frames.length > 0);
    const began = performance.now();
    const before = player.progress();
    await sleep(6000);
    const after = player.progress();
    const grown = Object.keys(before).map((name) => [name, after[name] - before[name]]);
    return {
        ...Object.fromEntries(grown), seconds: (performance.now() - began) / 1000,
        numbers: player.frames.map(({ number }) => number),
        behind: player.frames.map(({ number, now }) => now - (kept.source?.drawn.get(number) ?? now)),
        damaged: player.damaged, errors: player.errors,
    };";

/// What holds of every stream; `rate` is that of the pictures which were sent.
fn check(what: &str, seen: &Value, rate: f64) {
    let value = |name: &str| seen[name].as_f64().unwrap_or_else(|| panic!("no {name}: {seen:#}"));
    let numbers: Vec<u64> =
        seen["numbers"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    eprintln!(
        "{what} to mpegts.js: {} pictures decoded in {:.1} s, {} painted, {:.0} kbit/s of sound",
        seen["pictures"],
        value("seconds"),
        numbers.len(),
        value("soundBytes") / 125.0 / value("seconds"),
    );
    assert_eq!(seen["errors"].as_array().unwrap().len(), 0, "{seen:#}");
    assert!(value("time") > 0.8 * value("seconds"), "{seen:#}");
    assert!(value("pictures") > 0.8 * rate * value("seconds"), "{seen:#}");
    // 48 kbit/s and more.
    assert!(value("soundBytes") > 5_000.0 * value("seconds"), "{seen:#}");
    assert_eq!(seen["damaged"], 0, "{seen:#}");
    // A machine that has other things to do doesn't paint them all.
    assert!(numbers.len() > 30, "{numbers:?}");
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let span = (numbers[numbers.len() - 1] - numbers[0]) as f64;
    assert!(span > 0.8 * rate * value("seconds"), "{numbers:?}");
}

#[test]
fn a_stream_of_rtmp_is_played() {
    let server = server();
    let browser = Browser::start();
    let _publisher = Ffmpeg::publish(&clip(Clip::Numbered), &server.rtmp_url("s"));
    server.wait_for_client("s", "fmle-publish");
    let seen = browser.run(format!("{}{PLAY}", stream(&server, "s")));
    check("RTMP", &seen, 25.0);
}

#[test]
fn a_stream_of_webrtc_is_played() {
    let server = server();
    let browser = Browser::start();
    let addresses = stream(&server, "s");
    browser.run(format!(
        "{addresses}
        kept.source = new Source();
        kept.publisher = new Publisher(kept.source, {{ codec: 'H264' }});
        await kept.publisher.begin(whip);
        await kept.publisher.connected();
        await sleep(1000);"
    ));
    let encoded = || {
        let script = "return (await kept.publisher.flow('outbound-rtp', 'video')).framesEncoded;";
        browser.run(script).as_f64().unwrap()
    };
    let began = std::time::Instant::now();
    let before = encoded();
    let seen = browser.run(format!("{addresses}{PLAY}"));
    // How many it encodes is up to the machine.
    let rate = (encoded() - before) / began.elapsed().as_secs_f64();
    check("WebRTC", &seen, rate);
}
