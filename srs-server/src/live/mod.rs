//! Who is here: the clients and streams that the API shows.

mod access;
mod clients;
mod feed;
mod meter;
mod rate;
mod streams;
mod vhosts;

pub use access::{AccessError, check_access};
pub use clients::{Client, ClientGuard, ClientKind, Clients, Identity};
pub use feed::Feed;
pub use meter::Meter;
pub use rate::Rate;
pub use streams::{Claim, LiveStream, Streams};
pub use vhosts::{Vhost, Vhosts};
