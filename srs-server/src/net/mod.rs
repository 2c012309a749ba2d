//! Sockets: listening, the threads that own connections, and what guards each connection.

mod guard;
mod listen;
mod shard;

pub use guard::{Counters, Guarded};
pub use listen::{BindError, Bound, bind, prepare};
pub use shard::{Shard, Shards};
