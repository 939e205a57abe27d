//! The commit log and the seams: Io, Clock, Random.
