//! The bodies on the wire.
