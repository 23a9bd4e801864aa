//! How a refused list is cut in two until the bad ids stand alone.

/// Placeholder of the bisection's state.
#[derive(Debug)]
pub struct Bisection;
