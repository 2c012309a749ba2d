//! A server's shard, clients, and the network between them, in virtual time.
// Each test uses a part of it.
#![allow(dead_code, unreachable_pub, clippy::too_many_arguments)]

pub mod client;
pub mod link;
pub mod media;
pub mod offers;
pub mod world;

pub use link::Conditions;
pub use offers::Abilities;
pub use world::World;
