//! Payload formats: what is packetized comes back, whatever happens on the way.

mod oracle;
mod round_trip;
mod track;
