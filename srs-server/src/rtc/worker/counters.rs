//! What workers count, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Numbers of all workers since the server began.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        /// What one worker has counted and not told yet: plain numbers, since it alone counts here.
        #[derive(Debug, Default)]
        pub(super) struct Tally {
            $(pub(super) $name: u64,)*
        }

        impl Tally {
            /// Adds what was counted meanwhile to `counters`.
            pub(super) fn tell(&mut self, counters: &Counters) {
                $(counters.$name.fetch_add(std::mem::take(&mut self.$name), Relaxed);)*
            }
        }
    };
}

counters! {
    /// Datagrams that came.
    received,
    /// Datagrams that went.
    sent,
    /// Datagrams that the system didn't take, as its buffer was full or there is no way.
    unsent,
    /// Binding requests for sessions that aren't there.
    unknown_users,
    /// Datagrams from addresses that no session has.
    unknown_addresses,
    /// Datagrams that are nothing of WebRTC.
    unknown,
    /// Binding requests from new addresses beyond what is looked at in a second.
    too_many_unknown,
    /// Datagrams of others than they say, or that were changed on their way.
    unauthentic,
    /// Datagrams that come again, or too late for anybody to know whether they do.
    replayed,
    /// Datagrams of sessions that make no sense.
    malformed,
    /// Datagrams of sources or payload types that weren't agreed on.
    unknown_sources,
    /// Datagrams that came to another thread than their session's, and were handed over.
    handed_over,
    /// Those that could not be handed over, as too many were waiting.
    not_handed_over,
    /// Handshakes that agreed on keys.
    handshakes,
    /// Handshakes that failed.
    failed_handshakes,
    /// Packets that publishers were asked for again, and viewers asked for again.
    nacks,
    /// Packets that came or went a second time.
    retransmitted,
    /// Keyframes that publishers were asked for, and viewers asked for.
    keyframe_requests,
}

impl Counters {
    /// Datagrams that led nowhere, by the reason.
    pub fn dropped(&self) -> [(&'static str, u64); 10] {
        [
            ("unknown_user", &self.unknown_users),
            ("unknown_address", &self.unknown_addresses),
            ("not_webrtc", &self.unknown),
            ("too_many_unknown", &self.too_many_unknown),
            ("unauthentic", &self.unauthentic),
            ("replayed", &self.replayed),
            ("malformed", &self.malformed),
            ("unknown_source", &self.unknown_sources),
            ("overload", &self.not_handed_over),
            ("unsent", &self.unsent),
        ]
        .map(|(reason, counter)| (reason, counter.load(Relaxed)))
    }
}
