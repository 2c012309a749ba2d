//! RTMP: one connection that publishes, plays, or both.

mod ask;
mod connection;
mod error;
mod play;
mod publish;
mod upkeep;
#[cfg(test)]
mod wakes;

use std::{sync::Arc, time::Duration};

use stream_hub::{OnLag, Start, SubscribeOptions, Window};
use tracing::{Span, info, warn};

use self::connection::Connection;
pub use self::error::ConnectionError;
use crate::{
    live::{LiveStream, Vhost},
    net::{Link, Transport},
    server::{Peer, Shared},
};

/// Serves one connection until it ends. Its lines in the log are those of `span`.
///
/// What begins it is no part of the future, which lives for hours.
pub fn serve<S: Transport>(
    socket: S,
    peer: Peer,
    span: Span,
    shared: Arc<Shared>,
) -> impl Future<Output = ()> + Send + use<S> {
    let link = Arc::new(Link::new(span));
    let address = peer.address;
    link.span().in_scope(|| info!(peer = %address, "rtmp connection"));
    let connection = Connection::new(socket, peer, link.clone(), shared);
    async move {
        let error = connection.run().await;
        link.span().in_scope(|| match error {
            ConnectionError::Closed => {
                info!(peer = %address, "rtmp connection closed by the client");
            }
            error => {
                warn!(peer = %address, code = error.code(), "rtmp connection closed: {error}");
            }
        });
    }
}

/// The stream that a client asks for.
struct Asked {
    stream: Arc<LiveStream>,
    /// Its vhost as it is configured now.
    vhost: Arc<Vhost>,
    /// The query, with its mark.
    param: String,
}

/// SRS's `mw_msgs` where none is configured.
const MW_MSGS: u32 = 8;

/// How every player of a vhost reads a stream, whatever it speaks.
pub fn read_options(vhost: &Vhost) -> SubscribeOptions {
    let settings = &vhost.settings;
    let window = match settings.play.mw_latency {
        _ if settings.min_latency => Some(Duration::ZERO),
        window => window,
    };
    let is_merged = window.is_some_and(|window| !window.is_zero());
    SubscribeOptions {
        max_replay: match settings.play.gop_cache_max_frames {
            0 => u64::MAX,
            most => most as u64,
        },
        // Who wants every message at once waits for no further one, unless told to.
        min_items: settings.play.mw_msgs.unwrap_or(if is_merged { MW_MSGS } else { 0 }),
        start: match settings.play.gop_cache {
            true => Start::LatestJoinPoint,
            false => Start::NextJoinPoint,
        },
        on_lag: OnLag::Resume,
        window: match (window, settings.play.send_min_interval) {
            (None, Duration::ZERO) => Window::Auto,
            (window, interval) => match window.unwrap_or_default().max(interval) {
                Duration::ZERO => Window::Every,
                window => Window::Fixed(window),
            },
        },
        ..SubscribeOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rtmp_proto::{
        ClientConfig, ClientEvent, ClientOutput, ClientSession, MessageStreamId, Purpose, RtmpUrl,
    };
    use stream_hub::StreamKey;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        net::TcpStream,
        task::yield_now,
    };

    use super::*;
    use crate::{config::Settings, net::Shard, server::Server};

    #[test]
    fn a_window_waits_for_more_messages_in_the_profile_of_srs_alone() {
        let options = |mut settings: srs_config::Vhost| {
            settings.play.mw_latency = Some(Duration::from_millis(40));
            let (id, name, meter) = Default::default();
            read_options(&Vhost { id, name, settings, meter })
        };
        let window = Window::Fixed(Duration::from_millis(40));
        let zero = options(srs_config::Vhost::zero_config());
        assert_eq!((zero.window, zero.min_items), (window, 0));
        let srs = options(srs_config::Vhost::default());
        assert_eq!((srs.window, srs.min_items), (window, MW_MSGS));
    }

    /// What a viewer costs in memory, beside its kernel buffers: its task, its connection and its
    /// place in the list of clients. There are thousands of them.
    #[test]
    fn a_viewer_is_small() {
        let task = |socket: TcpStream, peer, shared| serve(socket, peer, Span::none(), shared);
        let sizes = [
            result_size(&task),
            size_of::<Connection<TcpStream>>(),
            size_of::<super::play::Playing>(),
            size_of::<crate::live::Client>(),
        ];
        // 8 of them are of tokio's socket, where other crates have tokio know several schedulers.
        assert!(sizes.iter().sum::<usize>() <= 1_992, "{sizes:?}");
    }

    /// What a publisher has beside a connection; its stream is the hub's.
    #[test]
    fn a_publisher_is_small() {
        let size = size_of::<super::publish::Publishing>();
        assert!(size <= 576, "{size}");
    }

    fn result_size<A, B, C, T>(_: &impl Fn(A, B, C) -> T) -> usize {
        size_of::<T>()
    }

    pub(super) async fn publish(pipe: &mut DuplexStream, url: &str) -> MessageStreamId {
        let config = ClientConfig::new(RtmpUrl::parse(url).unwrap(), Purpose::publish());
        let mut session = ClientSession::new(config, Instant::now());
        loop {
            while let Some(output) = session.poll_output() {
                match output {
                    ClientOutput::Transmit(bytes) => pipe.write_all(&bytes).await.unwrap(),
                    ClientOutput::Event(ClientEvent::PublishStarted { msid }) => return msid,
                    ClientOutput::Event(_) => {}
                }
            }
            let mut buf = [0; 4096];
            let read = pipe.read(&mut buf).await.unwrap();
            session.receive(Instant::now(), &buf[..read]).unwrap();
        }
    }

    /// Thirty thousand messages of a byte fit into one read.
    #[tokio::test]
    async fn a_publisher_that_floods_leaves_turns_to_others() {
        const MESSAGES: u64 = 30_000;
        let any = "127.0.0.1:0".parse().unwrap();
        let server = Server::start(Settings::listening_on(any, any, any)).unwrap();
        let (mut client, ours) = duplex(1 << 20);
        let peer = Peer {
            id: "flood".to_owned(),
            address: "127.0.0.1:1".parse().unwrap(),
            shard: Shard::here(),
        };
        tokio::spawn(serve(ours, peer, Span::none(), server.shared().clone()));
        let msid = publish(&mut client, "rtmp://localhost/live/a").await;

        // Chunk stream 9: a header, then chunks of type 3 that begin a message each.
        let mut flood = vec![9, 0, 0, 0, 0, 0, 1, 9];
        flood.extend(msid.0.to_le_bytes());
        flood.push(0x27);
        for _ in 1..MESSAGES {
            flood.extend([0xc9, 0x27]);
        }
        client.write_all(&flood).await.unwrap();
        let key = StreamKey::new("__defaultVhost__", "live", "a");
        let vhost = server.shared().vhost("localhost").unwrap();
        let stream = server.shared().streams.open(&key, &vhost, Instant::now(), String::new);
        let mut turns = 0;
        while stream.media.frames() < MESSAGES {
            turns += 1;
            yield_now().await;
        }
        assert!(turns >= 100, "{turns} turns");
        server.shutdown().await;
    }
}
