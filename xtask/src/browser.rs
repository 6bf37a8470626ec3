//! `cargo xtask browser`: the scanner's pages in a real Chromium.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, Build, Done, Stop};

const CHROMIUM: &str = "/usr/bin/chromium";

/// Runs the stories of `tests/browser`, if there is a browser to run them in. With words, only
/// those whose names contain one of them.
pub fn run(only: &[String]) -> Done {
    let lockstep = process::executable(Build::Debug);
    let Some(modules) = modules(&lockstep)? else { return Ok(()) };
    process::build(Build::Debug)?;
    let mut node = process::program("node");
    node.arg(process::root().join("tests/browser/pages.mjs")).arg(&lockstep).arg(&modules);
    process::run(node.arg(modules.join("screenshots")).args(only))
}

/// The folder with what drives a browser, beside the program; none where there is no browser, which
/// is said.
pub fn modules(lockstep: &Path) -> Result<Option<PathBuf>, Stop> {
    let is_there = |name: &str| Command::new(name).arg("--version").output().is_ok();
    let missing: Vec<&str> =
        [CHROMIUM, "node", "npm"].into_iter().filter(|name| !is_there(name)).collect();
    if !missing.is_empty() {
        eprintln!("browser: SKIPPED, nothing was tried: {} is not here", missing.join(", "));
        eprintln!("browser: `apt-get install chromium` and Node.js bring what is missing");
        return Ok(None);
    }
    let from = process::root().join("tests/browser");
    let modules = lockstep.with_file_name("browser");
    copy(&from, &modules)?;
    let mut npm = process::program("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]);
    process::run(npm.current_dir(&modules))?;
    Ok(Some(modules))
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
