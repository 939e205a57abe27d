//! The kinds beyond JSON as a program sees them: decimals, dates, times, durations and files.

#[cfg(feature = "time")]
pub(crate) mod datetime;
#[cfg(feature = "decimal")]
pub(crate) mod decimal;
pub(crate) mod exact;
pub(crate) mod ext;
pub(crate) mod file;
pub(crate) mod kind;
pub(crate) mod parts;
#[cfg(feature = "time")]
mod strftime;
#[cfg(feature = "time")]
pub(crate) mod temporal;
