//! Words for people. One command per file; each turns what was typed into what is meant once, and
//! only this room turns errors into words, hints and exit codes.
//!
//! Results go to stdout, everything else to stderr.

pub mod exit;
pub mod failure;
pub mod journal;
