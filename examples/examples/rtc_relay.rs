//! Pulls a stream from one server by WHEP, and pushes it to another by WHIP.
//!
//! It shows both clients of `rtc-stack`: packets go from the one to the other as they are, and
//! wishes for keyframes the other way.
//!
//! ```text
//! cargo run -p examples --example rtc_relay -- \
//!     "http://127.0.0.1:1985/rtc/v1/whep/?app=live&stream=livestream" \
//!     "http://127.0.0.1:8000/whip/copy"
//! ```
//!
//! Ctrl-C ends it. Kept out for brevity: the token that many servers want, deleting the resources
//! that the servers made, and trying again.

use std::{collections::BTreeMap, error::Error, time::Duration};

use rtc_stack::{
    Codec, CodecParameters,
    client::{ClientOptions, Event, Offering, Player, Publisher},
    sfu::TrackPacket,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

/// How long after the first track others are waited for.
const OTHER_TRACKS: Duration = Duration::from_secs(1);
/// How long a server may take for its answer, and how many bytes that may have.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER: u64 = 256 * 1024;

type AnyError = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("usage: rtc_relay FROM TO".into());
    };
    let mut player = play(&from).await?;
    let tracks = tracks(&mut player).await?;
    let parameters: Vec<CodecParameters> = tracks.values().cloned().collect();
    let mut publisher = publish(&to, &parameters).await?;
    println!("relaying {} tracks", tracks.len());
    // A track's number at the one client, by its number at the other.
    let numbers: Vec<u8> = tracks.keys().copied().collect();
    let result = tokio::select! {
        result = relay(&mut player, &mut publisher, &numbers) => result,
        pressed = tokio::signal::ctrl_c() => Ok(pressed?),
    };
    publisher.close().await;
    player.close().await;
    result
}

async fn play(url: &str) -> Result<Player, AnyError> {
    let codecs = [Codec::H264, Codec::Av1, Codec::Vp8, Codec::Vp9, Codec::Opus].map(parameters);
    let offering = Offering::play(&codecs, options()).await?;
    let answer = timeout(ANSWER_TIMEOUT, post(url, offering.sdp())).await??;
    Ok(offering.into_player(&answer).await?)
}

async fn publish(url: &str, tracks: &[CodecParameters]) -> Result<Publisher, AnyError> {
    let offering = Offering::publish(tracks, options()).await?;
    let answer = timeout(ANSWER_TIMEOUT, post(url, offering.sdp())).await??;
    Ok(offering.into_publisher(&answer).await?)
}

fn options() -> ClientOptions {
    let mut options = ClientOptions::default();
    // Either server may be on this machine.
    options.with_loopback = true;
    options
}

fn parameters(codec: Codec) -> CodecParameters {
    let h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
    CodecParameters::new(codec).with_fmtp(if codec == Codec::H264 { h264 } else { "" })
}

/// Waits for the tracks of the stream.
async fn tracks(player: &mut Player) -> Result<BTreeMap<u8, CodecParameters>, AnyError> {
    let mut tracks = BTreeMap::new();
    let mut deadline = None;
    loop {
        let event = match deadline {
            None => player.next().await,
            // Of the first there are packets meanwhile.
            Some(deadline) => match timeout_at(deadline, player.next()).await {
                Ok(event) => event,
                Err(_) => return Ok(tracks),
            },
        };
        match event.ok_or("the stream has ended")? {
            Event::Track { track, description } => {
                tracks.insert(track, description.parameters);
                deadline.get_or_insert_with(|| Instant::now() + OTHER_TRACKS);
            }
            Event::Ended { reason } => return Err(format!("{reason:?}").into()),
            _ => {}
        }
        if tracks.len() == 2 {
            return Ok(tracks);
        }
    }
}

async fn relay(
    player: &mut Player,
    publisher: &mut Publisher,
    numbers: &[u8],
) -> Result<(), AnyError> {
    loop {
        tokio::select! {
            event = player.next() => match event.ok_or("the stream has ended")? {
                Event::Packet { track, packet } => {
                    if let Some(number) = numbers.iter().position(|of| *of == track) {
                        let track = u8::try_from(number)?;
                        publisher.send(vec![TrackPacket { track, packet }])?;
                    }
                }
                Event::Ended { reason } => return Err(format!("from: {reason:?}").into()),
                _ => {}
            },
            event = publisher.next() => match event.ok_or("the copy has ended")? {
                Event::KeyframeRequested { track } => {
                    if let Some(of) = numbers.get(usize::from(track)) {
                        player.request_keyframe(*of).await;
                    }
                }
                Event::Ended { reason } => return Err(format!("to: {reason:?}").into()),
                _ => {}
            },
        }
    }
}

/// Posts an offer, and gives the answer.
async fn post(url: &str, offer: &str) -> Result<String, AnyError> {
    let rest = url.strip_prefix("http://").ok_or("only http:// addresses")?;
    let (host, path) = rest.split_at(rest.find('/').ok_or("an address without a path")?);
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut socket = TcpStream::connect(address).await?;
    let length = offer.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{offer}"
    );
    socket.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    socket.take(MAX_ANSWER).read_to_string(&mut response).await?;
    let (head, body) = response.split_once("\r\n\r\n").ok_or("no answer in HTTP")?;
    match head.split(' ').nth(1) {
        Some("200" | "201") => Ok(body.to_owned()),
        other => Err(format!("HTTP {}", other.unwrap_or_default()).into()),
    }
}
