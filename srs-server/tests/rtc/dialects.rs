//! What some clients do otherwise: SRS's players signal by JSON, and some publishers send their
//! picture in several sizes.

use super::{Browser, server, stream};

#[test]
fn session_begins_by_json_and_what_it_loses_comes_again() {
    let server = server();
    let (http, api) = (server.http, server.api);
    let seen = Browser::start().run(format!(
        "const publisher = new Publisher(new Source(), {{ codec: 'H264' }});
        const url = 'webrtc://127.0.0.1/live/json';
        await publisher.beginAsSrs('http://127.0.0.1:{api}/rtc/v1/publish/', url);
        await publisher.connected();
        const viewer = new Viewer();
        const id = await viewer.beginAsSrs('http://127.0.0.1:{http}/rtc/v1/play/', url);
        await viewer.connected();
        await viewer.more(30);
        const lose = `http://127.0.0.1:{http}/rtc/v1/nack/?drop=20&username=${{encodeURIComponent(id)}}`;
        const {{ code }} = await (await fetch(lose)).json();
        const video = () => viewer.flow('inbound-rtp', 'video');
        await until('packets again', async () => (await video()).retransmittedPacketsReceived > 0);
        await viewer.more(60);
        return {{ code, video: await video(), ...summary(publisher, viewer) }};"
    ));
    assert_eq!(seen["code"], 0, "{seen:#}");
    assert_eq!(seen["damaged"], 0, "{seen:#}");
    assert!(seen["video"]["nackCount"].as_u64() > Some(0), "{seen:#}");
    assert_eq!(server.clients("json", "rtc-publish").len(), 1);
    assert_eq!(server.clients("json", "rtc-play").len(), 1);
}

#[test]
fn simulcast_gives_viewers_one_picture() {
    let server = server();
    let seen = Browser::start().run(format!(
        "{}
        const encodings = [
            {{ rid: 'small', scaleResolutionDownBy: 2, maxBitrate: 150000 }},
            {{ rid: 'large', scaleResolutionDownBy: 1, maxBitrate: 600000 }},
        ];
        const publisher = new Publisher(new Source({{ scale: 2 }}), {{ codec: 'VP8', encodings }});
        await publisher.begin(whip);
        await publisher.connected();
        const layers = () => publisher.stats('outbound-rtp', 'video');
        await until('two layers', async () =>
            (await layers()).filter((layer) => layer.framesSent > 10).length === 2
        ).catch(async (error) => {{
            throw new Error(`${{error}}: ${{JSON.stringify(await layers())}} ${{publisher.answer}}`);
        }});
        const viewer = new Viewer();
        await viewer.begin(whep);
        await viewer.connected();
        const video = () => viewer.flow('inbound-rtp', 'video');
        await until('the large picture', async () => (await video())?.frameWidth === 640);
        const from = viewer.frames.length;
        await viewer.more(60);
        const numbers = viewer.frames.slice(from).map(({{ number }}) => number);
        return {{
            layers: (await layers()).map(({{ rid, frameWidth, framesSent }}) => ({{ rid, frameWidth, framesSent }})),
            video: await video(),
            numbers,
            ...summary(publisher, viewer),
        }};",
        stream(&server, "layers")
    ));
    assert_eq!(seen["video"]["frameWidth"], 640, "{seen:#}");
    let numbers: Vec<u64> = serde_json::from_value(seen["numbers"].clone()).unwrap();
    assert!(numbers.is_sorted(), "layers are mixed: {seen:#}");
    assert_eq!(seen["video"]["packetsLost"], 0, "{seen:#}");
}
