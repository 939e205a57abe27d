//! Finding the next interesting byte of JSON, many bytes at a time.

/// The first byte from `at` on that is not JSON whitespace, or the end. The byte at `at` is not above a space.
#[inline(always)]
pub(super) fn skip_whitespace(json: &[u8], at: usize) -> usize {
    let end = match json.get(at) {
        Some(b' ') => at + 1,
        // Mostly the indentation of the next line follows.
        Some(b'\n') => at + 1 + chunk(json, at + 1).map_or(0, |chunk| chunk.not_space()),
        _ => return skip_any_whitespace(json, at),
    };
    match json.get(end) {
        Some(byte) if *byte > b' ' => end,
        _ => skip_any_whitespace(json, end),
    }
}

#[inline(never)]
fn skip_any_whitespace(json: &[u8], mut at: usize) -> usize {
    loop {
        match json.get(at) {
            Some(b' ' | b'\n' | b'\r' | b'\t') => at += 1,
            _ => return at,
        }
        if let Some(chunk) = chunk(json, at) {
            let end = chunk.not_whitespace();
            at += end;
            if end < WIDTH {
                return at;
            }
        }
    }
}

/// The first byte from `at` on that ends a plain stretch of a string: a quote, a backslash, a control
/// character; or the end.
#[inline(always)]
pub(super) fn plain_end(json: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = chunk(json, at) {
        let end = chunk.not_plain();
        at += end;
        if end < WIDTH {
            return at;
        }
    }
    let rest = json.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))
        .unwrap_or(rest.len())
}

/// Whether one of the first `len` bytes must be escaped in a string.
#[inline(always)]
pub(super) fn special_in_block(block: &[u8; 32], len: usize) -> bool {
    let end = |at| chunk(block, at).map_or(WIDTH, |chunk| chunk.not_plain());
    let mut at = 0;
    while at < 32 {
        let found = end(at);
        if found < WIDTH {
            return at + found < len;
        }
        at += WIDTH;
    }
    false
}

/// Where the first byte is that must be escaped in a string, or the end.
#[inline]
pub(super) fn special(text: &[u8]) -> usize {
    if text.len() >= WIDTH || text.len() < 8 {
        return plain_end(text, 0);
    }
    // Two overlapping halves.
    let half = |at: usize| -> [u8; 8] {
        let rest = text.get(at..).unwrap_or_default();
        rest.first_chunk().copied().unwrap_or_default()
    };
    let mut block = [b' '; 16];
    let (low, high) = block.split_at_mut(8);
    low.copy_from_slice(&half(0));
    high.copy_from_slice(&half(text.len() - 8));
    match plain_end(&block, 0) {
        16 => text.len(),
        _ => plain_end(text, 0),
    }
}

/// The value of 8 digits; none if they are not all digits.
#[inline(always)]
pub(super) fn eight_digits(bytes: [u8; 8]) -> Option<u64> {
    let chunk = u64::from_le_bytes(bytes);
    let digits = chunk.wrapping_sub(0x3030_3030_3030_3030);
    let above = chunk.wrapping_add(0x4646_4646_4646_4646);
    if (digits | above) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    // Pairs, then fours, then eight: each step multiplies the left half into place.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF)
}

#[cfg(target_arch = "x86_64")]
use sse2::{WIDTH, chunk};

#[cfg(not(target_arch = "x86_64"))]
use word::{WIDTH, chunk};

/// SSE2, which every x86-64 has.
#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "vector instructions: measured, three times the speed"
)]
mod sse2 {
    use std::arch::x86_64::*;

    pub(crate) const WIDTH: usize = 16;

    #[derive(Clone, Copy)]
    pub(crate) struct Chunk(__m128i);

    #[inline(always)]
    pub(crate) fn chunk(bytes: &[u8], at: usize) -> Option<Chunk> {
        let bytes: &[u8; WIDTH] = bytes.get(at..)?.first_chunk()?;
        // SAFETY: 16 bytes are there; the load needs no alignment.
        Some(Chunk(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }))
    }

    impl Chunk {
        /// How many bytes of whitespace it begins with.
        #[inline(always)]
        pub(crate) fn not_whitespace(self) -> usize {
            // SAFETY: SSE2 is part of x86-64.
            unsafe {
                let is = |byte: u8| _mm_cmpeq_epi8(self.0, _mm_set1_epi8(byte as i8));
                let blank = _mm_or_si128(is(b' '), is(b'\t'));
                let space = _mm_or_si128(blank, _mm_or_si128(is(b'\n'), is(b'\r')));
                (!_mm_movemask_epi8(space)).trailing_zeros() as usize
            }
        }

        /// How many spaces it begins with.
        #[inline(always)]
        pub(crate) fn not_space(self) -> usize {
            // SAFETY: SSE2 is part of x86-64.
            let spaces =
                unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(self.0, _mm_set1_epi8(b' ' as i8))) };
            (!spaces).trailing_zeros() as usize
        }

        /// How many bytes before a quote, a backslash or a control character.
        #[inline(always)]
        pub(crate) fn not_plain(self) -> usize {
            // SAFETY: SSE2 is part of x86-64.
            unsafe {
                let is = |byte: u8| _mm_cmpeq_epi8(self.0, _mm_set1_epi8(byte as i8));
                let limit = _mm_set1_epi8(0x1F);
                let control = _mm_cmpeq_epi8(_mm_max_epu8(self.0, limit), limit);
                let special = _mm_or_si128(_mm_or_si128(is(b'"'), is(b'\\')), control);
                (_mm_movemask_epi8(special) | 1 << WIDTH).trailing_zeros() as usize
            }
        }
    }
}

/// Eight bytes in a general register.
#[cfg(not(target_arch = "x86_64"))]
mod word {
    pub(crate) const WIDTH: usize = 8;
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;

    #[derive(Clone, Copy)]
    pub(crate) struct Chunk(u64);

    #[inline(always)]
    pub(crate) fn chunk(bytes: &[u8], at: usize) -> Option<Chunk> {
        Some(Chunk(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)))
    }

    /// The high bit of every byte that is `byte`, and perhaps of some after the first that is.
    fn equal(chunk: u64, byte: u8) -> u64 {
        let zero = chunk ^ (LOW * u64::from(byte));
        zero.wrapping_sub(LOW) & !zero & HIGH
    }

    impl Chunk {
        pub(crate) fn not_whitespace(self) -> usize {
            let bytes = self.0.to_le_bytes();
            let other = |byte: &u8| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
            bytes.iter().position(other).unwrap_or(WIDTH)
        }

        pub(crate) fn not_space(self) -> usize {
            let bytes = self.0.to_le_bytes();
            bytes.iter().position(|byte| *byte != b' ').unwrap_or(WIDTH)
        }

        pub(crate) fn not_plain(self) -> usize {
            let control = self.0.wrapping_sub(LOW * 0x20) & !self.0 & HIGH;
            let special = control | equal(self.0, b'"') | equal(self.0, b'\\');
            (special.trailing_zeros() / 8) as usize
        }
    }
}
