//! Side-by-side comparisons with peers.
