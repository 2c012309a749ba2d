//! Other servers.

use crate::{
    Support::*,
    block::codec::{OnOff, OneOf, Text, Words, text},
};

block! {
    /// Other servers that get every stream that is published.
    Forward {
        /// Whether they do.
        enabled: bool = false, OnOff, NotYet;
        /// Those servers: `host[:port]`.
        destination: Vec<String> = Vec::new(), Words, NotYet;
        /// URLs that are asked for the addresses to which a stream goes.
        backend: Vec<String> = Vec::new(), Words, NotYet;
    }
}

block! {
    /// Other servers that share the work.
    Cluster {
        /// Whether streams are published here, or fetched from an origin when somebody plays them.
        mode: String = text("local"), OneOf(&["local", "remote"]), NotYet;
        /// The origins: `host[:port]`.
        origin: Vec<String> = Vec::new(), Words, NotYet;
        /// Whether the origin is asked about each client.
        token_traverse: bool = false, OnOff, NotYet;
        /// The vhost at the origin, with the variable `[vhost]`.
        vhost: String = text("[vhost]"), Text, NotYet;
        /// Whether the origin is told who asks.
        debug_srs_upnode: bool = true, OnOff, NotYet;
        /// Whether origins send players to each other.
        origin_cluster: bool = false, OnOff, NotYet;
        /// The HTTP APIs of the other origins: `host:port`.
        coworkers: Vec<String> = Vec::new(), Words, NotYet;
        /// By what streams are fetched.
        protocol: String = text("rtmp"), OneOf(&["rtmp", "flv", "flvs"]), NotYet;
        /// Whether it is what the player uses.
        follow_client: bool = false, OnOff, NotYet;
    }
}
