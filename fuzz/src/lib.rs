//! The bodies of the fuzz targets, which the tests of the main package run as well.

#[path = "../../tests/it/fuzz/bodies.rs"]
pub mod bodies;
