//! `cargo xtask fixture`: writes the fixture journals anew, which is right only as long as their
//! format was not released. What is in them is for a test of the journal to say; so that writes.

use std::env;

use crate::process::{self, Done, Stop};

/// Has the test that checks the fixture write it first.
pub fn write() -> Done {
    if env::var_os("CI").is_some() {
        return Err(Stop { exit: 2, why: "fixture: CI only checks".to_owned() });
    }
    let test = ["test", "--package", "lockstep", "--lib", "journal::fixture"];
    process::run(process::cargo(test).env("LOCKSTEP_WRITE_FIXTURE", "1"))?;
    println!("fixture: see `git diff --stat tests/fixtures`");
    Ok(())
}
