//! Spacing of requests.
