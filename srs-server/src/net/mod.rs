//! Sockets: listening, the threads that own connections, and what guards each connection.

mod guard;
mod joined;
mod link;
mod listen;
mod messages;
mod pace;
mod residence;
mod shard;
mod transport;

pub use guard::Guarded;
pub use joined::poll_write_batch;
pub use link::{Attendant, Link};
pub use listen::{BindError, Bound, BoundUdp, bind, bind_udp, prepare};
pub use messages::{Written, poll_write_messages};
pub use pace::{PacedReads, ReadPace, ReadWindow};
pub use residence::{BOUNDS, Outlet, Residence, Sum, Way};
pub use shard::{Load, Shard, Shards};
pub use transport::Transport;
