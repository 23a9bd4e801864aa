//! (room under construction)

pub mod trigger;
