//! Every directive, by the block that it stands in.

mod global;
mod http;
mod play;
mod publish;
mod vhost;

pub use global::*;
pub use http::*;
pub use play::*;
pub use publish::*;
pub use vhost::*;
