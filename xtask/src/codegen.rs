//! `cargo xtask codegen`: writes the Rust of the feed's messages anew from `feed_v3.proto`. How
//! that is done is for the test that compares them to say; so that writes.

use std::env;

use crate::process::{self, Done, Stop};

/// Has the test that compares the file with the `.proto` write it.
pub fn write() -> Done {
    if env::var_os("CI").is_some() {
        return Err(Stop { exit: 2, why: "codegen: CI only checks".to_owned() });
    }
    let test = ["test", "--package", "lockstep", "--test", "it", "codegen::"];
    process::run(process::cargo(test).env("LOCKSTEP_CODEGEN", "write"))?;
    println!("codegen: see `git diff --stat src/sources/upstox`");
    Ok(())
}
