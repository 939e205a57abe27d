//! The 43 workflow control-flow patterns, each run straight, with a crash and recovery after every event, and under
//! random interleavings; the discriminating cases of each are tests of their own.

mod cases;
mod cost;
mod docs;
mod game;
mod instances;
mod life;
mod offers;
mod outside;
mod random;
