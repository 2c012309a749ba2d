//! A WebRTC server that embeds `rtc-stack` alone: publishers by WHIP, players by WHEP.
//!
//! ```text
//! cargo run -p examples --example sfu -- 127.0.0.1:8000
//! ffmpeg -re -i clip.mp4 -c:v libx264 -bf 0 -c:a libopus -f whip http://127.0.0.1:8000/whip/live
//! ```
//!
//! A browser or `load rtc-play` plays it from `http://127.0.0.1:8000/whep/live`; media go to the UDP port of
//! the same number. `srs-server` adds a shard per core, ICE-TCP and an end for streams.

mod http;

use std::{collections::HashMap, time::Instant};

use rtc_stack::{
    Limits,
    sfu::{Event, PeerId, Role, StreamId, TrackPacket},
    transport::server::RtcServer,
};

use http::AnyError;

struct Server {
    rtc: RtcServer,
    streams: HashMap<String, StreamId>,
    publishers: HashMap<PeerId, StreamId>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let (address, mut offers) = http::listen(&address).await?;
    let rtc = RtcServer::bind(address, Limits::default())?;
    println!("listening on {address}");
    let mut server = Server { rtc, streams: HashMap::new(), publishers: HashMap::new() };
    loop {
        tokio::select! {
            event = server.rtc.next() => server.handle(event?)?,
            Some(offer) = offers.recv() => {
                let answer = server.answer(&offer.kind, &offer.name, &offer.sdp);
                offer.answer(answer);
            }
        }
    }
}

impl Server {
    /// Makes a peer of an offer.
    fn answer(&mut self, kind: &str, name: &str, offer: &str) -> Result<String, AnyError> {
        let role = match kind {
            "whip" => Role::Publisher,
            "whep" => Role::Viewer,
            _ => return Err("neither whip nor whep".into()),
        };
        let (peer, answer) = self.rtc.accept(role, offer)?;
        let (now, (sfu, out)) = (Instant::now(), self.rtc.sfu());
        let stream = match self.streams.get(name) {
            Some(stream) => *stream,
            None => sfu.open_stream(&[])?,
        };
        self.streams.insert(name.to_owned(), stream);
        if role == Role::Viewer {
            sfu.attach(now, peer, stream, &[], out)?;
        } else {
            sfu.restart(now, stream)?;
            // Whoever comes later takes the stream over.
            self.publishers.retain(|_, published| *published != stream);
            self.publishers.insert(peer, stream);
        }
        Ok(answer)
    }

    /// Forwards what publishers send, and asks them for what players want.
    fn handle(&mut self, event: Event) -> Result<(), AnyError> {
        let (now, (sfu, out)) = (Instant::now(), self.rtc.sfu());
        let of = |peer: &PeerId| self.publishers.get(peer).copied();
        match event {
            Event::Track { peer, .. } => {
                let tracks = sfu.tracks(peer);
                of(&peer).map(|stream| sfu.set_tracks(now, stream, &tracks)).transpose()?;
            }
            Event::Packet { peer, track, packet } => {
                let packets = [TrackPacket { track, packet }];
                let _ = of(&peer).map(|stream| sfu.forward(now, stream, &packets, out));
            }
            Event::SenderClock { peer, track, clock } => {
                let _ = of(&peer).map(|stream| sfu.sender_clock(stream, track, &clock));
            }
            Event::KeyframeWanted { stream, track } => {
                let publisher = self.publishers.iter().find(|(_, published)| **published == stream);
                publisher.map(|(peer, _)| sfu.request_keyframe(*peer, track)).transpose()?;
            }
            Event::Closed { peer, .. } => drop(self.publishers.remove(&peer)),
            _ => {}
        }
        Ok(())
    }
}
