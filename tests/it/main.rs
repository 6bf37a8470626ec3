//! All integration tests in one binary: one link instead of many.

mod cli_check;
mod cli_difference;
mod cli_import;
mod cli_refusals;
mod cli_replay;
mod core_stories;
mod desk;
mod laws;
mod live_stories;
mod raw_parquet;
mod readme;
mod reference;
mod reference_live;
mod verify;
mod world;
