//! RTMP: one connection that publishes, plays, or both.

mod connection;
mod error;
mod play;
mod publish;
mod transport;

use std::sync::Arc;

use stream_hub::{OnLag, SubscribeOptions, Window};
use tracing::{info, warn};

use self::connection::Connection;
pub use self::{error::ConnectionError, transport::Transport};
use crate::{
    config::Config,
    server::{Peer, Shared},
};

/// Serves one connection until it ends.
pub async fn serve<S: Transport>(socket: S, peer: Peer, shared: Arc<Shared>) {
    let address = peer.address;
    info!(peer = %address, "rtmp connection");
    match Connection::new(socket, peer, shared).run().await {
        ConnectionError::Closed => info!(peer = %address, "rtmp connection closed by the client"),
        error => warn!(peer = %address, "rtmp connection closed: {error}"),
    }
}

/// How every player reads a stream, whatever it speaks.
pub fn read_options(config: &Config) -> SubscribeOptions {
    SubscribeOptions {
        on_lag: OnLag::Resume,
        window: match config.play.merge_window {
            None => Window::Auto,
            Some(window) if window.is_zero() => Window::Every,
            Some(window) => Window::Fixed(window),
        },
        ..SubscribeOptions::default()
    }
}
