//! `cargo xtask sample`: the sample's data is made by Lockstep from a seed; what is committed has
//! to be what the seed gives.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io, process as std_process};

use crate::process::{self, Done, Stop};

/// What the random numbers of the committed sample start from.
pub const SEED: u64 = 1;

/// Where the committed sample is.
const DATA: &str = "replays/sample/data";

/// Writes the sample of that seed over the committed one.
pub fn write(seed: u64) -> Done {
    generate(seed, Path::new(DATA))
}

/// Compares the committed sample with a new one of that seed, byte for byte.
pub fn check(seed: u64) -> Done {
    let scratch = Scratch::new("sample").map_err(|error| format!("no scratch folder: {error}"))?;
    generate(seed, &scratch.path)?;
    let files = compare(&process::root().join(DATA), &scratch.path)?;
    println!("sample: {files} files are what seed {seed} gives");
    Ok(())
}

fn generate(seed: u64, out: &Path) -> Done {
    let seed = seed.to_string();
    let command = ["data", "sample", "--seed", &seed, "--replace", "--out"];
    process::run(process::lockstep(command).arg(out))
}

/// How many files both folders have, all alike; or the first difference.
fn compare(committed: &Path, made: &Path) -> Result<usize, Stop> {
    let names = |folder: &Path| {
        files_below(folder)
            .map_err(|error| Stop::from(format!("failed to read {}: {error}", folder.display())))
    };
    let both: BTreeSet<PathBuf> = names(committed)?.into_iter().chain(names(made)?).collect();
    if both.is_empty() {
        return Err(Stop::from(format!("no file in {DATA}, so nothing was compared")));
    }
    for name in &both {
        let what = match (fs::read(committed.join(name)), fs::read(made.join(name))) {
            (Err(_), _) => String::from("is not committed"),
            (_, Err(_)) => String::from("is committed but not made any more"),
            (Ok(old), Ok(new)) if old == new => continue,
            (Ok(old), Ok(new)) => {
                let byte = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
                format!(
                    "differs from byte {byte} on ({} bytes committed, {} made)",
                    old.len(),
                    new.len()
                )
            }
        };
        let name = Path::new(DATA).join(name);
        return Err(Stop::from(format!("{} {what}; see `cargo xtask sample`", name.display())));
    }
    Ok(both.len())
}

/// The paths of all files below `folder`, from there.
fn files_below(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(inside) = path.strip_prefix(folder) {
                files.insert(inside.to_path_buf());
            }
        }
    }
    Ok(files)
}

/// A new empty folder that is gone when this is dropped.
pub struct Scratch {
    /// Where it is.
    pub path: PathBuf,
}

impl Scratch {
    /// A folder among the temporary ones, of that name and of this process.
    pub fn new(name: &str) -> io::Result<Scratch> {
        let path = env::temp_dir().join(format!("lockstep-xtask-{name}-{}", std_process::id()));
        fs::create_dir(&path)?;
        Ok(Scratch { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind harms nobody, and there is nobody left to tell.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(
        name: &str,
        committed: &[(&str, &str)],
        made: &[(&str, &str)],
    ) -> Result<usize, String> {
        let scratch = Scratch::new(name).unwrap();
        let sides = [("committed", committed), ("made", made)].map(|(side, files)| {
            let folder = scratch.path.join(side);
            fs::create_dir(&folder).unwrap();
            for (file, text) in files {
                fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
                fs::write(folder.join(file), text).unwrap();
            }
            folder
        });
        compare(&sides[0], &sides[1]).map_err(|stop| stop.why)
    }

    #[test]
    fn equal_folders_are_counted() {
        let files = [("a/2024-10.parquet", "PAR1"), ("b.csv", "1,2")];
        assert_eq!(compared("equal", &files, &files), Ok(2));
    }

    #[test]
    fn nothing_to_compare_is_no_success() {
        let want = "no file in replays/sample/data, so nothing was compared";
        assert_eq!(compared("nothing", &[], &[]), Err(String::from(want)));
    }

    #[test]
    fn the_first_difference_is_named() {
        let says = |name, committed, made| compared(name, committed, made).unwrap_err();
        assert_eq!(
            says(
                "bytes",
                &[("a", "same"), ("b", "12345"), ("c", "x")],
                &[("a", "same"), ("b", "12x4"), ("c", "y")]
            ),
            "replays/sample/data/b differs from byte 2 on (5 bytes committed, 4 made); \
             see `cargo xtask sample`"
        );
        assert_eq!(
            says("extra", &[("b", "1")], &[("a", "1"), ("b", "1")]),
            "replays/sample/data/a is not committed; see `cargo xtask sample`"
        );
        assert_eq!(
            says("gone", &[("a", "1"), ("b", "1")], &[("a", "1")]),
            "replays/sample/data/b is committed but not made any more; see `cargo xtask sample`"
        );
    }

    #[test]
    fn a_scratch_folder_is_gone_afterwards() {
        let path = {
            let scratch = Scratch::new("gone-afterwards").unwrap();
            assert!(scratch.path.is_dir());
            scratch.path.clone()
        };
        assert!(!path.exists());
    }
}
