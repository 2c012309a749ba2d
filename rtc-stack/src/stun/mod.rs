//! ICE lite: telling STUN from the other protocols of the port, and answering connectivity checks.
//!
//! A lite agent (RFC 8445, 2.5) never sends checks. All it does is answer binding requests
//! (RFC 8489) that name its user and prove to know its password.
//!
//! A datagram whose sender is not known yet is looked at with [`classify`] and [`peek_username`],
//! which allocate nothing and compute nothing; only the session that the name belongs to verifies it.
//! Nothing that fails to authenticate is answered: an error response would go to whatever address
//! the sender wrote down.

mod checksum;
mod classify;
mod credentials;
mod ice_lite;
mod message;
mod response;

pub use classify::{Kind, classify};
pub use credentials::{Credentials, CredentialsError};
pub use ice_lite::{Answer, IceLite, Outcome, StunError};
pub use message::{FormatError, peek_username};
pub use response::Response;

#[cfg(test)]
mod tests;
