//! `cargo xtask browser`: the scanner's pages in a real Chromium.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{self, Build, Done, Stop};

const CHROMIUM: &str = "/usr/bin/chromium";

/// Runs the stories of `tests/browser`, if there is a browser to run them in.
pub fn run() -> Done {
    let is_there = |name: &str| Command::new(name).arg("--version").output().is_ok();
    let missing: Vec<&str> =
        [CHROMIUM, "node", "npm"].into_iter().filter(|name| !is_there(name)).collect();
    if !missing.is_empty() {
        eprintln!("browser: SKIPPED, nothing was tried: {} is not here", missing.join(", "));
        eprintln!("browser: `apt-get install chromium` and Node.js bring what is missing");
        return Ok(());
    }
    process::build(Build::Debug)?;
    let from = process::root().join("tests/browser");
    let lockstep = process::executable(Build::Debug);
    let modules = lockstep.with_file_name("browser");
    copy(&from, &modules)?;
    let mut npm = process::program("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]);
    process::run(npm.current_dir(&modules))?;
    let mut node = process::program("node");
    node.arg(from.join("pages.mjs")).arg(&lockstep).arg(&modules);
    process::run(node.arg(modules.join("screenshots")))
}

/// What npm installs is kept outside the tree.
fn copy(from: &Path, to: &Path) -> Done {
    let failed = |error: std::io::Error| Stop::from(format!("{}: {error}", to.display()));
    fs::create_dir_all(to).map_err(failed)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(from.join(name), to.join(name)).map_err(failed)?;
    }
    Ok(())
}
