//! What wakes a connection, and what it looks at then.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use flv_mux::TagKind;
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientOutput, ClientSession, MessageStreamId, Purpose, RtmpUrl,
};
use stream_hub::{BusyPolicy, Publisher, PublisherId, StreamKey, TrackInfo, Writer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    task::{JoinHandle, yield_now},
    time::timeout,
};
use tracing::Span;

use super::{serve, tests::publish};
use crate::{
    config::Settings,
    media::{Frame, Origin},
    net::{Shard, Transport},
    server::{Peer, Server, Shared},
};

/// A pipe that counts how often it is asked for bytes.
struct Counted {
    pipe: DuplexStream,
    reads: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads.fetch_add(1, Relaxed);
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

impl Transport for Counted {}

/// A server of which only the state is used, and a stream that is published.
struct Scene {
    server: Server,
    shard: Shard,
    key: StreamKey,
    publisher: Publisher,
    writer: Writer<Frame>,
    pushed: u64,
}

impl Scene {
    fn new() -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        let server = Server::start(Settings::listening_on(any, any, any)).unwrap();
        let shard = Shard::here();
        let group = shard.group.clone();
        tokio::spawn(async move {
            loop {
                _ = group.wake_due(Instant::now());
                group.dirty().await;
            }
        });
        let key = StreamKey::new("__defaultVhost__", "live", "a");
        let who = PublisherId::new("test");
        let publish =
            server.shared().hub.publish(key.clone(), who, BusyPolicy::Refuse, Instant::now());
        let mut publisher = publish.unwrap();
        let writer = publisher.track::<Frame>(TrackInfo::default()).unwrap();
        Self { server, shard, key, publisher, writer, pushed: 0 }
    }

    fn shared(&self) -> &Arc<Shared> {
        self.server.shared()
    }

    fn push(&mut self) {
        let frame = Frame {
            kind: TagKind::Video,
            time: Duration::from_millis(self.pushed * 40),
            read_at: Instant::now(),
            origin: Origin::Rtmp,
            timestamp: 0,
            body: Bytes::from_static(&[0x17, 1, 0, 0, 0, 9, 9, 9]),
            is_join_point: true,
            config_slot: None,
        };
        self.writer.push(frame, Instant::now()).unwrap();
        self.pushed += 1;
    }

    /// A viewer that has what was published so far, and waits.
    async fn viewer(&mut self) -> Viewer {
        let (client, ours) = duplex(1 << 20);
        let reads = Arc::new(AtomicUsize::new(0));
        let peer = Peer {
            id: "viewer".to_owned(),
            address: "127.0.0.1:1".parse().unwrap(),
            shard: self.shard.clone(),
        };
        let ours = Counted { pipe: ours, reads: reads.clone() };
        let serving = tokio::spawn(serve(ours, peer, Span::none(), self.shared().clone()));
        let url = RtmpUrl::parse("rtmp://localhost/live/a").unwrap();
        let config = ClientConfig::new(url, Purpose::play());
        let session = ClientSession::new(config, Instant::now());
        let mut viewer = Viewer { client, session, serving, reads, msid: None, media: 0 };
        while viewer.msid.is_none() {
            viewer.step().await;
        }
        self.push();
        viewer.receives(1).await;
        viewer.settle().await;
        viewer
    }
}

struct Viewer {
    client: DuplexStream,
    session: ClientSession,
    serving: JoinHandle<()>,
    reads: Arc<AtomicUsize>,
    msid: Option<MessageStreamId>,
    media: usize,
}

impl Viewer {
    /// Sends what the client has to say and reads once.
    async fn step(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                ClientOutput::Transmit(bytes) => self.client.write_all(&bytes).await.unwrap(),
                ClientOutput::Event(ClientEvent::PlayStarted { msid, .. }) => {
                    self.msid = Some(msid);
                }
                ClientOutput::Event(ClientEvent::Media { .. }) => self.media += 1,
                ClientOutput::Event(_) => {}
            }
        }
        let mut bytes = [0; 4096];
        let read = timeout(Duration::from_millis(200), self.client.read(&mut bytes)).await;
        if let Ok(read) = read {
            self.session.receive(Instant::now(), &bytes[..read.unwrap()]).unwrap();
        }
    }

    /// Waits until so many messages more have come.
    async fn receives(&mut self, count: usize) {
        let all = self.media + count;
        timeout(Duration::from_secs(20), async {
            while self.media < all {
                self.step().await;
            }
        })
        .await
        .expect("the messages come");
    }

    /// Lets all that is on its way be done.
    async fn settle(&mut self) {
        for _ in 0..3 {
            self.step().await;
        }
    }

    async fn pause(&mut self, is_paused: bool) {
        let mut body = b"\x02\0\x05pause\0\0\0\0\0\0\0\0\0\x05\x01".to_vec();
        body.push(is_paused.into());
        body.extend([0; 9]);
        let mut chunk = vec![8, 0, 0, 0, 0, 0, body.len() as u8, 20];
        chunk.extend(self.msid.unwrap().0.to_le_bytes());
        chunk.extend(body);
        self.client.write_all(&chunk).await.unwrap();
    }
}

#[tokio::test]
async fn media_alone_wakes_nothing_else() {
    let mut scene = Scene::new();
    let mut viewer = scene.viewer().await;
    let before = viewer.reads.load(Relaxed);
    assert!(before > 0);
    for _ in 0..20 {
        scene.push();
        viewer.receives(1).await;
    }
    assert_eq!(viewer.reads.load(Relaxed), before, "the socket is asked for bytes again");
    // But what the client says is heard.
    viewer.session.ping(Instant::now());
    viewer.settle().await;
    assert!(viewer.reads.load(Relaxed) > before);
    scene.server.shutdown().await;
}

#[tokio::test]
async fn a_viewer_that_waits_can_be_kicked() {
    let mut scene = Scene::new();
    let mut viewer = scene.viewer().await;
    scene.shared().clients.find("viewer").unwrap().kick();
    viewer.settle().await;
    // It is told to read the end, and goes.
    drop(viewer.client);
    timeout(Duration::from_secs(20), viewer.serving).await.expect("it ends").unwrap();
    assert!(scene.shared().clients.find("viewer").is_none());
    scene.server.shutdown().await;
}

#[tokio::test]
async fn a_viewer_that_leaves_while_nothing_comes_is_noticed() {
    let mut scene = Scene::new();
    let viewer = scene.viewer().await;
    let Viewer { client, serving, .. } = viewer;
    drop(client);
    timeout(Duration::from_secs(20), serving).await.expect("it ends").unwrap();
    assert!(scene.shared().clients.find("viewer").is_none());
    scene.server.shutdown().await;
}

#[tokio::test]
async fn a_paused_viewer_goes_on_when_it_says_so() {
    let mut scene = Scene::new();
    let mut viewer = scene.viewer().await;
    viewer.pause(true).await;
    viewer.settle().await;
    let media = viewer.media;
    scene.push();
    viewer.settle().await;
    assert_eq!(viewer.media, media);
    viewer.pause(false).await;
    viewer.receives(1).await;
    scene.push();
    viewer.receives(1).await;
    scene.server.shutdown().await;
}

#[tokio::test]
async fn a_viewer_plays_on_with_the_next_publisher() {
    let mut scene = Scene::new();
    let mut viewer = scene.viewer().await;
    let Scene { server, key, publisher, .. } = scene;
    publisher.end();
    viewer.settle().await;
    let who = PublisherId::new("next");
    let publish = server.shared().hub.publish(key.clone(), who, BusyPolicy::Refuse, Instant::now());
    let mut publisher = publish.unwrap();
    let writer = publisher.track::<Frame>(TrackInfo::default()).unwrap();
    let mut scene = Scene { server, shard: Shard::here(), key, publisher, writer, pushed: 0 };
    scene.push();
    viewer.receives(1).await;
    // And leaves as any other.
    drop(viewer.client);
    timeout(Duration::from_secs(20), viewer.serving).await.expect("it ends").unwrap();
    scene.server.shutdown().await;
}

/// Nothing ends its window here, nor its silence: it is woken for what it must see at once.
#[tokio::test]
async fn a_publisher_that_is_not_read_yet_can_be_kicked_and_taken_over() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let any = "127.0.0.1:0".parse().unwrap();
    let mut settings = Settings::listening_on(any, any, any);
    for vhost in &mut settings.config.vhosts {
        let publish = &mut vhost.publish;
        (publish.mr, publish.mr_latency) = (Some(true), HOUR);
        (publish.firstpkt_timeout, publish.normal_timeout) = (2 * HOUR, 2 * HOUR);
    }
    let server = Server::start(settings).unwrap();
    let begin = async |id: &str| {
        let (mut client, ours) = duplex(1 << 20);
        let (id, address) = (id.to_owned(), "127.0.0.1:1".parse().unwrap());
        let peer = Peer { id, address, shard: Shard::here() };
        let reads = Arc::new(AtomicUsize::new(0));
        let ours = Counted { pipe: ours, reads: reads.clone() };
        let serving = tokio::spawn(serve(ours, peer, Span::none(), server.shared().clone()));
        publish(&mut client, "rtmp://localhost/live/a").await;
        // What is read now begins the window, and what comes then waits.
        for _ in 0..2 {
            client.write_all(&[2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
            for _ in 0..100 {
                yield_now().await;
            }
        }
        let before = reads.load(Relaxed);
        client.write_all(&[2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
        for _ in 0..100 {
            yield_now().await;
        }
        assert_eq!(reads.load(Relaxed), before, "it is read");
        (client, serving)
    };
    let ends = async |serving: JoinHandle<()>| {
        timeout(Duration::from_secs(20), serving).await.expect("it ends").unwrap();
    };
    let (_client, kicked) = begin("kicked").await;
    server.shared().clients.find("kicked").unwrap().kick();
    ends(kicked).await;
    let (_client, old) = begin("old").await;
    let (_client, new) = begin("new").await;
    ends(old).await;
    server.shared().clients.find("new").unwrap().kick();
    ends(new).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_that_asks_for_nothing_is_closed_when_its_time_is_over() {
    let scene = Scene::new();
    let (client, ours) = duplex(1 << 20);
    let reads = Arc::new(AtomicUsize::new(0));
    let peer = Peer {
        id: "mute".to_owned(),
        address: "127.0.0.1:1".parse().unwrap(),
        shard: scene.shard.clone(),
    };
    let ours = Counted { pipe: ours, reads };
    let serving = tokio::spawn(serve(ours, peer, Span::none(), scene.shared().clone()));
    yield_now().await;
    assert!(!serving.is_finished());
    tokio::time::pause();
    // The clock of the runtime goes on to the next timer at once.
    timeout(Duration::from_secs(60), serving).await.expect("it ends").unwrap();
    drop(client);
    tokio::time::resume();
    scene.server.shutdown().await;
}
