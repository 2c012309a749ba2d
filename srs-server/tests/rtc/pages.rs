//! The pages that the server brings, in a browser: one publishes a camera, the other plays it.

use super::Browser;
use crate::support::TestServer;

#[test]
fn pages_publish_and_play() {
    let server = TestServer::configured(
        "rtc_server { enabled on; listen 0; candidate 127.0.0.1; }
        vhost __defaultVhost__ { rtc { enabled on; } }",
    );
    let browser = Browser::start_on(&server);
    let script = "const open = (name) => {
            const frame = document.createElement('iframe');
            frame.allow = 'camera; microphone; autoplay';
            frame.src = `/players/${name}.html?autostart&app=live&stream=pages&kbps=500`;
            document.body.append(frame);
            return frame;
        };
        const text = (frame, id) => frame.contentDocument?.getElementById(id)?.textContent;
        const figure = (frame, name) =>
            frame.contentDocument.querySelector(`[data-figure=${name}]`).textContent;
        const whip = open('whip');
        await until('word that it is on air', () => text(whip, 'state') === 'On air.');
        const { camera, microphone } = whip.contentDocument.getElementById('form').elements;
        const choices = [camera.options.length, microphone.options.length];
        const index = document.createElement('iframe');
        index.src = '/players/?api=API';
        document.body.append(index);
        const live = await until('stream in the list', () =>
            index.contentDocument?.querySelector('#streams a')?.getAttribute('href'));
        const whep = open('whep');
        await until('connection', () => text(whep, 'state') === 'Connected.');
        const video = whep.contentDocument.querySelector('video');
        await until('picture', () => video.videoWidth > 0 && video.currentTime > 2);
        await until('figures', () => /[1-9].* fps/.test(figure(whep, 'rate')));
        const names = ['kbps', 'loss', 'roundTrip', 'rate', 'size', 'codec', 'latency'];
        const figures = Object.fromEntries(names.map((name) => [name, figure(whep, name)]));
        const sent = figure(whip, 'kbps');
        whip.contentDocument.getElementById('stop').click();
        await until('word that it has stopped', () => text(whip, 'state') === 'Stopped.');
        return { figures, sent, choices, live, width: video.videoWidth };";
    let seen = browser.run(script.replace("API", &server.api.to_string()));
    let figures = &seen["figures"];
    assert_eq!(seen["live"], "whep.html?app=live&stream=pages&autostart");
    for choices in seen["choices"].as_array().unwrap() {
        assert!(choices.as_u64() > Some(1), "{seen:#}");
    }
    assert!(seen["width"].as_u64() >= Some(320), "{seen:#}");
    for name in ["rate", "size", "codec", "roundTrip"] {
        assert_ne!(figures[name], "–", "{seen:#}");
    }
    assert!(server.clients("pages", "rtc-publish").is_empty());
    assert_eq!(server.clients("pages", "rtc-play").len(), 1);
}
