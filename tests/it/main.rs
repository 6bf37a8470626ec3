//! All integration tests in one binary: one link instead of many.

mod core_stories;
mod laws;
mod reference;
mod world;
