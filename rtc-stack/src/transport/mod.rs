//! Sockets and handshakes for the sans-io core (feature `tokio`): the only place that names them.

pub mod candidates;
pub mod dtls;
pub mod server;
pub mod tcp;
pub mod udp;
