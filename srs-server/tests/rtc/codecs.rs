//! Every codec from a browser to a browser: frames are counted by the numbers in them, and a tone is
//! heard.

use serde_json::Value;

use super::{Browser, server, stream};

/// Publishes and plays, and says what came of it.
fn loops(codec: &str, video: bool, audio: bool) -> Value {
    let server = server();
    let browser = Browser::start();
    browser.run(format!(
        "{}
        const source = new Source({{ video: {video}, audio: {audio} }});
        kept.source = source;
        const publisher = new Publisher(source, {{ codec: '{codec}' }});
        await publisher.begin(whip);
        await publisher.connected();
        const viewer = new Viewer({{ video: {video}, audio: {audio} }});
        await viewer.begin(whep);
        await viewer.connected();
        return measure(publisher, viewer, 5);",
        stream(&server, "loop")
    ))
}

/// What holds of every picture that arrives over a way without loss.
pub(crate) fn check_picture(what: &str, seen: &Value, codec: &str) {
    tell(what, seen);
    assert_eq!(seen["video"]["codec"], format!("video/{codec}"));
    check_flow(seen);
}

/// Nothing is lost, late or damaged.
pub(crate) fn check_flow(seen: &Value) {
    let number = |name: &str| seen[name].as_f64().unwrap_or_else(|| panic!("no {name}: {seen:#}"));
    assert!(number("sent") > 50.0, "the encoder stands still: {seen:#}");
    assert!(number("got") > 0.95 * number("sent"), "{seen:#}");
    assert_eq!(seen["video"]["packetsLost"], 0, "{seen:#}");
    assert_eq!(seen["damaged"], 0, "{seen:#}");
    assert_eq!(seen["backward"], 0, "{seen:#}");
    // Where nothing is reported of what arrives, a browser stays at what it begins with.
    assert!((number("estimate") - 300_000.0).abs() > 1.0, "{seen:#}");
    // A number may be missing for each frame that was drawn and never sent.
    let unsent = number("everDrawn") - number("everSent");
    let unseen = number("everGot") - number("seen");
    assert!(number("missing") <= unsent + unseen.max(0.0) + 2.0, "{seen:#}");
}

/// Says what was measured.
pub(crate) fn tell(what: &str, seen: &Value) {
    let ms = |name: &str| seen[name].as_f64().unwrap_or(f64::NAN);
    eprintln!(
        "{what}: {} of {} frames decoded, glass to glass {:.0} ms (99 of 100: {:.0}), \
         longest pause {:.0} ms, the way carries {:.0} kbit/s, {} packets came again, \
         {} keyframes wanted",
        seen["got"],
        seen["sent"],
        ms("delay"),
        ms("delay99"),
        ms("freeze"),
        ms("estimate") / 1000.0,
        seen["video"]["retransmittedPacketsReceived"].as_u64().unwrap_or(0),
        seen["video"]["pliCount"],
    );
}

fn check_tone(seen: &Value) {
    assert!(seen["audio"]["totalAudioEnergy"].as_f64().unwrap() > 0.0, "{seen:#}");
    let hertz = seen["hertz"].as_f64().unwrap();
    assert!((900.0..1100.0).contains(&hertz), "{hertz} Hz: {seen:#}");
}

#[test]
fn vp8_is_played() {
    let seen = loops("VP8", true, true);
    check_picture("VP8", &seen, "VP8");
    check_tone(&seen);
}

#[test]
fn h264_is_played() {
    let seen = loops("H264", true, true);
    check_picture("H.264", &seen, "H264");
    check_tone(&seen);
}

#[test]
fn vp9_is_played() {
    let seen = loops("VP9", true, true);
    check_picture("VP9", &seen, "VP9");
    check_tone(&seen);
}

#[test]
fn av1_is_played() {
    let seen = loops("AV1", true, true);
    check_picture("AV1", &seen, "AV1");
    check_tone(&seen);
}

#[test]
fn audio_alone_is_played() {
    let seen = loops("", false, true);
    assert!(seen["video"].is_null(), "{seen:#}");
    check_tone(&seen);
}

#[test]
fn video_alone_is_played() {
    let seen = loops("VP8", true, false);
    check_picture("video alone", &seen, "VP8");
    assert!(seen["audio"].is_null(), "{seen:#}");
}
