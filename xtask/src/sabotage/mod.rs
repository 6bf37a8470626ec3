//! `cargo xtask sabotage`: a test that cannot fail proves nothing, so known bugs are planted into a
//! copy of the tree, one after the other, and the tests have to find each of them. The checkout is
//! never touched.

mod alignment;
mod bugs;
mod copy;
mod feed;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use crate::process::{Done, Stop, cargo, output, program, root, target};
use bugs::{Bug, Judge};

/// Seeds of the crash simulation that a bug has to be found in.
const SEEDS: &str = "12000";
/// Days on a bad line that a bug of the feed has to be found in.
const DAYS: &str = "420";
/// Bugs of a share.
const SHARE: usize = 3;
/// Ours is optimized a little, since compiling and running have to be quick together.
const OPTIMIZED: [&str; 2] =
    ["profile.dev.package.lockstep.opt-level=1", "profile.dev.package.rand_chacha.opt-level=3"];
/// How much of what a judge said is shown.
const SAID_COLUMNS: usize = 60;

/// Plants the bugs and prints who found each; fails if one survives.
pub fn run(only: &[String], share: bool, list: bool) -> Done {
    let chosen = chosen(only, share)?;
    if list {
        chosen.iter().for_each(|bug| println!("{:<28} {}", bug.name, bug.what));
        return Ok(());
    }
    let tree = Tree::at(&target().join("sabotage"))?;
    // A text that is gone is found out now and not in an hour.
    for bug in all() {
        bug.plant(&root())?;
    }
    copy::copy(&root(), &tree.dir)?;
    let judges = judges(&chosen);
    // All at once, so that no core waits.
    tree.build(&judges)?;
    for judge in judges {
        let found = tree.judge(judge)?;
        if let Some(said) = found {
            return Err(
                format!("{} finds a bug where none was planted: {said}", judge.name()).into()
            );
        }
    }
    println!("{:<28} {:<8} {:>7}  said", "bug", "found by", "seconds");
    let mut survivors = Vec::new();
    for bug in &chosen {
        let (verdict, seconds) = timed(|| tree.try_out(bug));
        match verdict? {
            Some((judge, said)) => {
                println!("{:<28} {:<8} {seconds:>7.1}  {said}", bug.name, judge.name());
            }
            None => {
                println!("{:<28} {:<8} {seconds:>7.1}", bug.name, "NOBODY");
                survivors.push(bug.name);
            }
        }
    }
    if survivors.is_empty() {
        println!("sabotage: {} bugs planted, all found", chosen.len());
        return Ok(());
    }
    Err(format!("sabotage: nobody found {}", survivors.join(", ")).into())
}

/// All bugs.
fn all() -> impl Iterator<Item = &'static Bug> + Clone {
    bugs::BUGS.iter().chain(alignment::BUGS).chain(feed::BUGS)
}

/// The bugs to be planted: those whose names contain one of `only`, a share, or all.
fn chosen(only: &[String], share: bool) -> Result<Vec<&'static Bug>, Stop> {
    let has = |bug: &Bug, part: &String| bug.name.contains(part.as_str());
    if let Some(part) = only.iter().find(|part| !all().any(|bug| has(bug, part))) {
        return Err(format!("no bug has `{part}` in its name").into());
    }
    if !only.is_empty() {
        return Ok(all().filter(|bug| only.iter().any(|part| has(bug, part))).collect());
    }
    if share {
        let start = commit_number() % all().count();
        return Ok(all().cycle().skip(start).take(SHARE).collect());
    }
    Ok(all().collect())
}

/// A number that changes with every commit; 0 where there is no repository.
fn commit_number() -> usize {
    let hash = output(program("git").args(["rev-parse", "HEAD"]));
    hash.ok().and_then(|hash| usize::from_str_radix(hash.get(..7)?, 16).ok()).unwrap_or(0)
}

/// The judges of these bugs, each once.
fn judges(bugs: &[&Bug]) -> Vec<Judge> {
    let mut judges: Vec<Judge> = Vec::new();
    for judge in bugs.iter().flat_map(|bug| bug.judges) {
        if !judges.contains(judge) {
            judges.push(*judge);
        }
    }
    judges
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is for people to read")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    (work(), start.elapsed().as_secs_f64())
}

/// The copy of the tree that the bugs are planted in, with what was compiled of it before: both
/// stay where Cargo writes to, so that only what is another is compiled again.
struct Tree {
    dir: PathBuf,
    target: PathBuf,
    /// As long as this is locked, nobody else plants here.
    _mine: File,
}

impl Tree {
    fn at(dir: &Path) -> Result<Tree, Stop> {
        let mine = lock(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        Ok(Tree { target: dir.join("target"), dir: dir.join("tree"), _mine: mine })
    }

    /// Plants a bug, asks its judges one after the other, and takes it out again.
    fn try_out(&self, bug: &Bug) -> Result<Option<(Judge, String)>, Stop> {
        bug.write(&self.dir, bug.plant(&root())?)?;
        let found = bug.judges.iter().find_map(|judge| {
            let said = self.judge(*judge).transpose()?;
            Some(said.map(|said| (*judge, said)))
        });
        bug.write(&self.dir, bug.text(&root())?)?;
        found.transpose()
    }

    /// What the judge found; none if all is well. Code that does not compile is no finding.
    fn judge(&self, judge: Judge) -> Result<Option<String>, Stop> {
        self.build(&[judge])?;
        let mut test = self.test(&[judge]);
        let heard = run_quietly(test.arg("--").args(judge.words()))?;
        let said = String::from_utf8_lossy(&heard.stdout);
        Ok((!heard.status.success()).then(|| first_finding(&said)))
    }

    /// Compiles what these judges run.
    fn build(&self, judges: &[Judge]) -> Done {
        let built = run_quietly(self.test(judges).arg("--no-run"))?;
        if built.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&built.stderr).into_owned();
        Err(format!("the tree does not compile: {why}").into())
    }

    /// `cargo test` in the copy, for the targets of these judges. Always of both packages, so that
    /// all judges have the same library.
    fn test(&self, judges: &[Judge]) -> Command {
        let packages = ["--package", "lockstep", "--package", "trials"];
        let mut command = cargo(OPTIMIZED.iter().flat_map(|package| ["--config", package]));
        command.args(["test", "--quiet"]).args(packages).args(targets(judges));
        command.current_dir(&self.dir);
        command.env("CARGO_TARGET_DIR", &self.target).env("CARGO_INCREMENTAL", "1");
        command
    }
}

impl Judge {
    fn name(self) -> &'static str {
        match self {
            Judge::Seeds => "seeds",
            Judge::Stops => "stops",
            Judge::Trial(_) => "trial",
            Judge::Feed => "feed",
            Judge::Day(_) => "days",
            Judge::Test(_) => "tests",
            Judge::Story(_) => "stories",
        }
    }

    /// The target that it is in, as Cargo takes it.
    const fn target(self) -> &'static str {
        match self {
            Judge::Seeds | Judge::Stops | Judge::Trial(_) => "--test=crash",
            Judge::Feed | Judge::Day(_) => "--test=feed",
            Judge::Test(_) => "--lib",
            Judge::Story(_) => "--test=it",
        }
    }

    /// What this target is told.
    fn words(self) -> Vec<&'static str> {
        match self {
            Judge::Seeds => vec!["simulate", "--fail-fast", "--damage", "2", "--seeds", SEEDS],
            Judge::Stops => vec!["simulate", "--fail-fast", "--stops"],
            Judge::Feed => vec!["simulate", "--seeds", DAYS],
            Judge::Trial(name) | Judge::Day(name) | Judge::Test(name) | Judge::Story(name) => {
                vec![name]
            }
        }
    }
}

/// The targets of these judges, each once.
fn targets(judges: &[Judge]) -> Vec<&'static str> {
    let mut targets: Vec<&str> = judges.iter().map(|judge| judge.target()).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// Takes the lock of a folder, which is made if it is not there; waits for whoever has it.
fn lock(dir: &Path) -> io::Result<File> {
    fs::create_dir_all(dir)?;
    let file = File::create(dir.join("LOCK"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("sabotage: waiting for another one in {}", dir.display());
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

/// What a failing judge says first, short enough for a table.
fn first_finding(said: &str) -> String {
    let simulated = ["cargo xtask crash ", "cargo xtask feed "];
    let crash = said.lines().find(|line| simulated.iter().any(|command| line.starts_with(command)));
    let crash = crash.and_then(|line| line.split_once(": ")).map(|(_, what)| what);
    let failed = || said.lines().find_map(|line| line.strip_prefix("---- ")?.split(' ').next());
    let what = crash.or_else(failed).unwrap_or("it failed without a word");
    what.chars().take(SAID_COLUMNS).collect()
}

fn run_quietly(command: &mut Command) -> Result<Output, Stop> {
    command.output().map_err(|error| Stop::from(format!("failed to run cargo: {error}")))
}

impl Bug {
    fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.file)
    }

    /// The file without the bug.
    fn text(&self, dir: &Path) -> Result<String, Stop> {
        let path = self.path(dir);
        let read = fs::read_to_string(&path);
        read.map_err(|error| format!("{}: {}: {error}", self.name, path.display()).into())
    }

    /// The file with the bug in it.
    fn plant(&self, dir: &Path) -> Result<String, Stop> {
        let text = self.text(dir)?;
        match text.matches(self.find).count() {
            1 => Ok(text.replacen(self.find, self.replace, 1)),
            count => Err(format!(
                "{}: its text stands {count} times in {} and must stand there once; \
                 bring xtask/src/sabotage/bugs.rs up to date",
                self.name, self.file
            )
            .into()),
        }
    }

    fn write(&self, dir: &Path, text: String) -> Done {
        let path = self.path(dir);
        let written = fs::write(&path, text);
        written.map_err(|error| format!("failed to write {}: {error}", path.display()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_can_be_planted_and_has_a_name_of_its_own() {
        let bugs: Vec<&Bug> = all().collect();
        assert!(bugs.len() >= 40);
        for (place, bug) in bugs.iter().enumerate() {
            assert_ne!(bug.plant(&root()).unwrap(), bug.text(&root()).unwrap(), "{}", bug.name);
            assert!(!bug.judges.is_empty(), "{}", bug.name);
            assert!(bugs[..place].iter().all(|other| other.name != bug.name), "{}", bug.name);
        }
    }

    #[test]
    fn what_a_judge_says_is_cut_to_the_point() {
        let said = "seeds 5\ncargo xtask crash --seed 3 --damage 2 --trace: lost: 5 acknowledged\n";
        assert_eq!(first_finding(said), "lost: 5 acknowledged");
        let said = "running 2 tests\n.F\n\n---- journal::b stdout ----\nthread\n";
        assert_eq!(first_finding(said), "journal::b");
    }

    #[test]
    fn what_many_judges_need_is_compiled_once() {
        let judges = [Judge::Story("a"), Judge::Seeds, Judge::Story("b"), Judge::Stops];
        assert_eq!(targets(&judges), ["--test=crash", "--test=it"]);
    }

    #[test]
    fn bugs_are_chosen_by_name_or_by_commit() {
        let first = all().next().unwrap();
        let two = [first.name.to_owned(), "flag-ignored".to_owned()];
        let names: Vec<&str> = chosen(&two, false).unwrap().iter().map(|bug| bug.name).collect();
        assert_eq!(names, two);
        assert_eq!(chosen(&[], true).unwrap().len(), SHARE);
        let one_unknown = [first.name.to_owned(), "no such bug".to_owned()];
        assert!(chosen(&one_unknown, false).is_err());
    }
}
