//! A desk of its own for each test: a temporary directory with copies of the repository's cases and
//! goldens, in which the real binary runs with an empty environment.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lockstep::domain::fact::Bar;
use lockstep::domain::instrument::InstrumentId;
use lockstep::domain::time::Timestamp;
use lockstep::sources::columns::BarColumns;
use lockstep::sources::store::{Store, write_month};

use crate::world::date;

pub const BSE: &str = "NSE_EQ|INE118H01025";
pub const TATA: &str = "NSE_EQ|INE155A01022";

/// The history of the sample, seen from the desk.
pub const DATA: &str = "replays/sample/data";

/// The binary under test.
pub const LOCKSTEP: &str = env!("CARGO_BIN_EXE_lockstep");

pub struct Desk {
    dir: tempfile::TempDir,
    /// Variables of the environment; there are no others.
    pub env: Vec<(&'static str, &'static str)>,
}

/// How a command ended.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Desk {
    /// A desk with nothing on it.
    pub fn empty() -> Desk {
        Desk { dir: tempfile::tempdir().expect("a temporary directory"), env: Vec::new() }
    }

    /// A desk with the repository's `replays/` and `golden/`.
    pub fn new() -> Desk {
        let desk = Desk::empty();
        for folder in ["replays", "golden"] {
            copy(&repository().join(folder), &desk.at(folder));
        }
        desk
    }

    /// A path on the desk.
    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs the binary with these words, blanks between them.
    pub fn run(&self, line: &str) -> Ran {
        self.run_in("", &line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs the binary in a folder of the desk.
    pub fn run_in(&self, folder: &str, words: &[&str]) -> Ran {
        let out = self.command(folder, words).output().expect("the binary runs");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let (stdout, stderr) = (text(out.stdout), text(out.stderr));
        assert!(!stderr.contains("panicked"), "{words:?}: {stderr}");
        Ran { code: out.status.code().expect("no signal"), stdout, stderr }
    }

    /// The binary with these words, ready to run.
    pub fn command(&self, folder: &str, words: &[&str]) -> Command {
        let mut command = Command::new(LOCKSTEP);
        command.args(words).current_dir(self.at(folder)).stdin(Stdio::null());
        command.env_clear().envs(self.env.iter().copied());
        command
    }

    /// Runs a command that must be refused with this exit code, one error, no result, and nothing
    /// changed on the desk. Returns the error without the warnings before it.
    pub fn refuses(&self, code: i32, line: &str) -> String {
        let before = self.listing();
        let ran = self.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}\n{}", ran.stderr);
        assert_eq!(self.listing(), before, "{line} wrote something");
        let errors = ran.stderr.lines().filter(|line| line.starts_with("error:")).count();
        assert_eq!(errors, 1, "{line}\n{}", ran.stderr);
        let start = ran.stderr.find("error:").expect("it was counted");
        ran.stderr[start..].trim_end().to_owned()
    }

    /// Every file and folder on the desk, with a hash of what is in it.
    pub fn listing(&self) -> BTreeMap<PathBuf, String> {
        let mut listing = BTreeMap::new();
        list(self.dir.path(), &mut listing);
        listing
    }

    /// Writes a file, its folders included.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().expect("a name has a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Replaces one text in a file; it must be there exactly once.
    pub fn edit(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert_eq!(text.matches(old).count(), 1, "'{old}' in {name}");
        self.write(name, text.replace(old, new));
    }

    /// Changes the lines of a file; the first is at 0.
    pub fn edit_lines(&self, name: &str, change: impl FnOnce(&mut Vec<String>)) {
        let mut lines: Vec<String> = self.read(name).lines().map(str::to_owned).collect();
        change(&mut lines);
        self.write(name, lines.join("\n") + "\n");
    }

    /// The path of a month of the sample's history.
    pub fn month(&self, key: &str, month: &str) -> PathBuf {
        self.store().path(key, date(&format!("{month}-01")))
    }

    pub fn store(&self) -> Store {
        Store::open(self.at(DATA)).expect("the sample's history")
    }

    /// The bars of a month of the sample's history.
    pub fn bars(&self, key: &str, month: &str) -> Vec<Bar> {
        let columns = self.store().load_month_raw(key, date(&format!("{month}-01")));
        let columns = columns.expect("a month of the sample");
        (0..columns.len()).map(|row| columns.bar(row, InstrumentId::default())).collect()
    }

    /// Rewrites a month of the sample's history with changed bars.
    pub fn rewrite(&self, key: &str, month: &str, change: impl FnOnce(&mut Vec<Bar>)) {
        let mut bars = self.bars(key, month);
        change(&mut bars);
        let columns = BarColumns::from_bars(bars.iter());
        let first = date(&format!("{month}-01"));
        write_month(&self.at(DATA), key, first, &columns).expect("a month is written");
    }

    /// Changes the bar of one minute of the sample's history.
    pub fn change(&self, key: &str, minute: &str, change: impl FnOnce(&mut Bar)) {
        let time = Timestamp::parse(minute).expect("a minute");
        self.rewrite(key, &minute[..7], |bars| {
            change(bars.iter_mut().find(|bar| bar.open_time == time).expect("a bar at that time"));
        });
    }
}

impl Ran {
    /// What went to stdout, after the command ended so.
    pub fn expect(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    pub fn json(self, code: i32) -> serde_json::Value {
        serde_json::from_str(&self.expect(code)).expect("stdout is one JSON document")
    }

    /// The difference that a replay shows, without the summary before it.
    pub fn difference(self) -> String {
        let text = self.expect(1);
        let start = text.find("error:").unwrap_or_else(|| panic!("no difference in {text}"));
        without_hashes(&text[start..])
    }
}

/// The text with `[hash]` for every shortened hash of a file, such as `68f34376…`.
pub fn without_hashes(text: &str) -> String {
    let parts: Vec<&str> = text.split('…').collect();
    let (last, hashes) = parts.split_last().expect("a split has a last part");
    let hidden = hashes.iter().map(|part| {
        let start = part.trim_end_matches(|c: char| c.is_ascii_hexdigit()).len();
        match part.len() - start {
            8 => format!("{}[hash]", &part[..start]),
            _ => format!("{part}…"),
        }
    });
    hidden.chain([(*last).to_owned()]).collect()
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder of the repository") {
        let entry = entry.expect("an entry").path();
        let target = to.join(entry.file_name().expect("entries have names"));
        match entry.is_dir() {
            true => copy(&entry, &target),
            false => drop(fs::copy(&entry, &target).expect("a copy")),
        }
    }
}

fn list(folder: &Path, listing: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            list(&path, listing);
            listing.insert(path, "folder".to_owned());
        } else {
            let hash = blake3::hash(&fs::read(&path).expect("a file")).to_hex().to_string();
            listing.insert(path, hash);
        }
    }
}
