use super::driver::{Link, Order};
use super::{ClientStatistics, Event};

/// A client that receives tracks. It runs in a task of its own; dropping it closes it, [`close`](Self::close) waits for
/// that.
///
/// It asks for missing packets, reports what it receives, and drops packets only while nobody takes its events.
pub struct Player {
    link: Link,
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Player")
    }
}

impl Player {
    pub(super) const fn new(link: Link) -> Self {
        Self { link }
    }

    /// What happened next; `None` after [`Event::Ended`]. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        self.link.events.recv().await
    }

    /// Asks for a keyframe of a track (PLI), at most twice a second. Nothing happens for a track of sound, one that does
    /// not arrive yet, or after the end.
    pub async fn request_keyframe(&self, track: u8) {
        // It fails after the end.
        let _ = self.link.orders.send(Order::RequestKeyframe(track)).await;
    }

    /// What passed so far; `None` after the end.
    pub async fn statistics(&self) -> Option<ClientStatistics> {
        self.link.statistics().await
    }

    /// Tells the peer that we leave (BYE, then DTLS close_notify), and waits until all tasks have been told to end.
    pub async fn close(self) {
        self.link.close().await;
    }
}
