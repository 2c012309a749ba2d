//! A bare server: what a server could reach at most. By RTMP and HTTP-FLV it writes the same bytes to
//! every player, made once, one write per player and window; by WebRTC it seals the same packets for
//! every player. It drops what is published to it.

mod fan_out;
mod rtc;
mod setup;

use std::{error::Error, net::SocketAddr, time::Duration};

use clap::{Args, value_parser};
use tokio::{
    net::TcpListener,
    runtime, select,
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{arguments::Rate, stream::Stream};

/// How long a client may take to say what it wants.
const SETUP_TIMEOUT: Duration = Duration::from_secs(10);
/// Offers by WebRTC that wait for their answers; who makes more waits too.
const OFFERS: usize = 64;

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct LimitOptions {
    /// Where to listen, for RTMP and HTTP alike; a loopback address, of which WebRTC has any UDP port
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write to each player by TCP once in so many milliseconds; 0 is for every message
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u64).range(0..=10_000))]
    window_ms: u64,
    /// How long to run
    #[arg(long, default_value_t = 600, value_parser = value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    #[command(flatten)]
    rate: Rate,
}

/// Serves until its time is over.
pub(crate) fn run(options: LimitOptions) -> Result<(), Box<dyn Error + Send + Sync>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(options))
}

async fn serve(options: LimitOptions) -> Result<(), Box<dyn Error + Send + Sync>> {
    let LimitOptions { listen, window_ms, seconds, rate } = options;
    if !listen.ip().is_loopback() {
        return Err(format!("{listen}: only loopback addresses are allowed").into());
    }
    let listener = TcpListener::bind(listen).await.map_err(|error| format!("{listen}: {error}"))?;
    println!("listening on {}", listener.local_addr()?);
    let (viewers, joining) = mpsc::unbounded_channel();
    let window = Duration::from_millis(window_ms);
    let mut fan_out = tokio::spawn(fan_out::run(Stream::new(rate), window, joining));
    let (offers, asked) = mpsc::channel(OFFERS);
    let mut rtc = tokio::spawn(rtc::run(Stream::opus(rate), listen.ip(), asked));
    let end = sleep(Duration::from_secs(seconds));
    tokio::pin!(end);
    loop {
        let socket = select! {
            () = &mut end => return Ok(()),
            ended = &mut fan_out => return ended?,
            ended = &mut rtc => return ended?,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                // Out of descriptors: others end in time.
                Err(_) => {
                    sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
        };
        let (viewers, offers) = (viewers.clone(), offers.clone());
        tokio::spawn(async move {
            match timeout(SETUP_TIMEOUT, setup::answer(socket, &offers)).await {
                Ok(Ok(setup::Asked::Watch)) => {}
                // The fan-out ends with the process alone.
                Ok(Ok(setup::Asked::Play(viewer))) => drop(viewers.send(viewer)),
                Ok(Ok(setup::Asked::Publish(socket))) => setup::drop_all(socket).await,
                Ok(Err(error)) => eprintln!("{error}"),
                Err(_) => eprintln!("a client asked for nothing in {SETUP_TIMEOUT:?}"),
            }
        });
    }
}
