//! All integration tests in one binary: one link instead of many.

mod cli_check;
mod cli_difference;
mod cli_import;
mod cli_refusals;
mod cli_replay;
mod core_stories;
mod desk;
mod laws;
mod raw_parquet;
mod readme;
mod reference;
mod resume;
mod verify;
mod world;
