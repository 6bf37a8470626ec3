//! All integration tests in one binary: one link instead of many.

mod align;
mod archive;
mod cli_align;
mod cli_check;
mod cli_difference;
mod cli_import;
mod cli_live;
mod cli_refusals;
mod cli_replay;
mod cli_trials;
mod core_stories;
mod desk;
mod forge;
mod fuzz;
mod laws;
mod live_stories;
mod raw_parquet;
mod readme;
mod reference;
mod reference_live;
mod resume;
mod scanner;
mod serve;
mod verify;
mod world;
