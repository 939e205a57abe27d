//! A hasher for maps whose keys are numbers that are spread already, in their low bits at least.

use std::hash::{BuildHasherDefault, Hasher};

/// What such a map is built with.
pub(crate) type Numbers = BuildHasherDefault<NumberHasher>;

#[derive(Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
