//! An RTMP server that embeds `rtmp-proto` and `stream-hub`: any number of publishers and players.
//!
//! It shows how the two are joined: the session turns bytes into events, the hub carries what is
//! published to everybody who plays it, a task per connection moves both along.
//!
//! ```text
//! cargo run -p examples --example mini_server -- 127.0.0.1:1935
//! ffmpeg -re -i clip.flv -c copy -f flv rtmp://127.0.0.1/live/livestream
//! ffplay rtmp://127.0.0.1/live/livestream
//! ```
//!
//! Players may come before the publisher and stay for the next one. Kept out for brevity is what
//! `srs-server` does on top: one thread per core, wire bytes made once for all players, times
//! corrected where a publisher's jump, limits on connections, logs.

use std::{
    error::Error,
    future::pending,
    time::{Duration, Instant},
};

use flv_mux::{AudioTagHeader, VideoTagHeader};
use rtmp_proto::{
    Connect, MediaKind, MediaMessage, MessageStreamId, ServerConfig, ServerEvent, ServerOutput,
    ServerSession, StatusCode,
};
use stream_hub::{
    Batch, BusyPolicy, Hub, Item, Limits, Publisher, PublisherId, ReadEnd, Reader, Slot, StreamKey,
    SubscribeOptions, TrackId, Writer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, sleep_until, timeout},
};

/// How long a client may take no bytes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

type AnyError = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:1935".to_owned());
    let listener = TcpListener::bind(&address).await.map_err(|e| format!("{address}: {e}"))?;
    println!("listening on {}", listener.local_addr()?);
    let hub = Hub::new(Limits::default());
    tokio::spawn(keep_time(hub.clone()));
    loop {
        let (socket, peer) = listener.accept().await?;
        let hub = hub.clone();
        tokio::spawn(async move {
            match serve(socket, hub).await {
                Ok(()) => println!("{peer}: gone"),
                Err(error) => println!("{peer}: {error}"),
            }
        });
    }
}

/// The hub reads no clock: it is told.
async fn keep_time(hub: Hub) {
    loop {
        sleep(Duration::from_millis(500)).await;
        hub.handle_timeout(Instant::now());
    }
}

/// Runs one connection to its end.
async fn serve(mut socket: TcpStream, hub: Hub) -> Result<(), AnyError> {
    let mut session = ServerSession::new(ServerConfig::default(), Instant::now());
    let mut client = Client { hub, connect: None, publishing: None, playing: None };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                ServerOutput::Transmit(bytes) => {
                    timeout(WRITE_TIMEOUT, socket.write_all(&bytes)).await??;
                }
                ServerOutput::Event(event) => client.handle(event, &mut session)?,
            }
        }
        tokio::select! {
            count = socket.read(&mut buffer) => match count? {
                0 => return Ok(()),
                count => session.receive(Instant::now(), &buffer[..count])?,
            },
            batch = next_batch(&mut client.playing) => {
                let batch = batch?;
                let Some((msid, reader)) = &mut client.playing else { continue };
                for frame in batch.iter() {
                    session.send_media(*msid, &frame.message)?;
                }
                reader.advance(batch.len());
            }
            () = deadline(session.poll_timeout()) => session.handle_timeout(Instant::now())?,
        }
    }
}

struct Publishing {
    writer: Writer<Frame>,
    has_video: bool,
    /// While it lives, the stream is ours.
    _publisher: Publisher,
}

struct Client {
    hub: Hub,
    connect: Option<Box<Connect>>,
    publishing: Option<Publishing>,
    playing: Option<(MessageStreamId, Reader<Frame>)>,
}

impl Client {
    fn handle(&mut self, event: ServerEvent, session: &mut ServerSession) -> Result<(), AnyError> {
        match event {
            ServerEvent::ConnectRequested { id, connect } => {
                self.connect = Some(connect);
                session.accept(id)?;
            }
            ServerEvent::PublishRequested { id, stream_name, .. } => {
                let (key, who) = (self.key(&stream_name)?, PublisherId::new("somebody"));
                match self.hub.publish(key, who, BusyPolicy::Refuse, Instant::now()) {
                    Ok(mut publisher) => {
                        let writer = publisher.track(TrackId(0))?;
                        self.publishing =
                            Some(Publishing { writer, has_video: false, _publisher: publisher });
                        session.accept(id)?;
                    }
                    Err(error) => {
                        session.reject(id, StatusCode::PUBLISH_BAD_NAME, &error.to_string())?;
                    }
                }
            }
            ServerEvent::PlayRequested { id, msid, stream_name, .. } => {
                let options = SubscribeOptions::default();
                let reader = self.hub.subscribe(&self.key(&stream_name)?, options, None)?;
                self.playing = Some((msid, reader));
                session.accept(id)?;
            }
            ServerEvent::Media { message, .. } => {
                if let Some(Publishing { writer, has_video, .. }) = &mut self.publishing {
                    writer.push(Frame::new(message, has_video), Instant::now())?;
                }
            }
            ServerEvent::PublishEnded { .. } => self.publishing = None,
            ServerEvent::PlayEnded { .. } => self.playing = None,
            _ => {}
        }
        Ok(())
    }

    fn key(&self, stream_name: &str) -> Result<StreamKey, AnyError> {
        let connect = self.connect.as_deref().ok_or("no connect came before")?;
        let address = connect.resolve(stream_name)?;
        Ok(StreamKey::new(address.vhost, address.app, address.stream))
    }
}

/// What is next to play; waits for ever where nothing is played.
async fn next_batch(
    playing: &mut Option<(MessageStreamId, Reader<Frame>)>,
) -> Result<Batch<Frame>, ReadEnd> {
    match playing {
        Some((_, reader)) => reader.batch(256 * 1024).await,
        None => pending().await,
    }
}

async fn deadline(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => pending().await,
    }
}

/// A message, and what the hub wants to know of it.
#[derive(Clone)]
struct Frame {
    message: MediaMessage,
    is_join_point: bool,
    config_slot: Option<Slot>,
}

impl Frame {
    fn new(message: MediaMessage, has_video: &mut bool) -> Self {
        let (mut is_join_point, mut config_slot) = (false, None);
        match message.kind {
            MediaKind::Data => config_slot = Some(Slot(0)),
            MediaKind::Video => {
                *has_video = true;
                if let Ok((header, _)) = VideoTagHeader::decode(&message.payload) {
                    is_join_point = header.is_keyframe();
                    config_slot = header.is_sequence_header().then_some(Slot(1));
                }
            }
            MediaKind::Audio => {
                if let Ok((header, _)) = AudioTagHeader::decode(&message.payload) {
                    config_slot = header.is_sequence_header().then_some(Slot(2));
                    // Players start anywhere in a stream that is audio alone.
                    is_join_point = header.is_frame() && !*has_video;
                }
            }
        }
        Self { message, is_join_point, config_slot }
    }
}

impl Item for Frame {
    fn size(&self) -> usize {
        self.message.payload.len()
    }
    fn time(&self) -> Duration {
        Duration::from_millis(self.message.timestamp.into())
    }
    fn is_join_point(&self) -> bool {
        self.is_join_point
    }
    fn config_slot(&self) -> Option<Slot> {
        self.config_slot
    }
}
