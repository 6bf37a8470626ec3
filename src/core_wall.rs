//! The wall around the core, as a test: `domain` and `core` compiled once more as a crate without
//! std. A clock, a file, a thread, a hash map with its random order: none of them exist here, so
//! code that reaches for one does not compile. Built with the tests, as the example `core_wall`.
#![no_std]
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "the wall only has to compile")]

extern crate alloc;

#[path = "core/mod.rs"]
pub mod core;
#[path = "domain/mod.rs"]
pub mod domain;
