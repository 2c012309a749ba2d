//! Virtual hosts, and every form of URL.
