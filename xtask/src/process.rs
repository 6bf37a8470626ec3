//! Other programs: how they are found, started and waited for.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fmt};

/// Why a command stopped, with the exit code to stop with.
#[derive(Debug)]
pub struct Stop {
    /// The exit code.
    pub exit: u8,
    /// Why, for people.
    pub why: String,
}

impl From<String> for Stop {
    fn from(why: String) -> Stop {
        Stop { exit: 1, why }
    }
}

/// What every command of this program returns.
pub type Done = Result<(), Stop>;

/// How Lockstep is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// As tests run it: with checks and without optimization.
    Debug,
    /// As users run it.
    Release,
}

impl Build {
    /// Both.
    pub const ALL: [Build; 2] = [Build::Debug, Build::Release];
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Build::Debug => "debug",
            Build::Release => "release",
        })
    }
}

/// The repository's root. Cargo says at run time where this package is, so a binary that was built
/// for another checkout still works on this one.
pub fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = package.and_then(|package| package.parent().map(PathBuf::from));
    root.unwrap_or_else(|| PathBuf::from("."))
}

/// A program that starts in the repository's root.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The Cargo that runs this program.
pub fn cargo<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Command {
    let mut command = program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// Builds Lockstep; Cargo shows the progress. The debug build comes with an example: with one,
/// Cargo takes dependencies as tests have them, so that after `cargo test` nothing is compiled.
pub fn build(build: Build) -> Done {
    let mut command = cargo(["build", "--package", "lockstep", "--bin", "lockstep"]);
    run(match build {
        Build::Debug => command.args(["--example", "plant"]),
        Build::Release => command.arg("--release"),
    })
}

/// The release of Lockstep with those arguments, built first if it has to be.
pub fn lockstep<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Command {
    let mut command = cargo(["run", "--package", "lockstep", "--bin", "lockstep", "--release"]);
    command.arg("--").args(args);
    command
}

/// The folder that Cargo writes to.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Where Cargo puts the program.
pub fn executable(build: Build) -> PathBuf {
    target().join(build.to_string()).join("lockstep")
}

/// Removes a folder with all that is in it, if it is there.
pub fn remove(dir: &Path) -> Done {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Stop::from(format!("{}: {error}", dir.display())))
        }
        _ => Ok(()),
    }
}

/// The value of the first key of that name, if it is a string with something in it.
pub fn json_string<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    let key = format!("\"{key}\"");
    let keys = json.match_indices(&key);
    let values = keys.filter_map(|(at, key)| json[at + key.len()..].trim_start().strip_prefix(':'));
    let text = values.map(str::trim_start).next()?.strip_prefix('"')?;
    text.split_once('"').map(|(value, _)| value).filter(|value| !value.is_empty())
}

/// Runs `command` to its end; fails with the exit code that it ended with.
pub fn run(command: &mut Command) -> Done {
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    ended(command, status.code())
}

/// Runs `command` to its end and returns what it wrote to stdout; what it wrote to stderr is shown
/// only if it failed.
pub fn output(command: &mut Command) -> Result<String, Stop> {
    let output = command.output().map_err(|error| cannot_start(command, &error))?;
    ended(command, output.status.code())
        .inspect_err(|_| eprint!("{}", String::from_utf8_lossy(&output.stderr)))?;
    String::from_utf8(output.stdout)
        .map_err(|_| Stop::from(format!("`{}` wrote no text", name_of(command))))
}

/// Runs `command` to its end, passes its stdout on, and hands every line of it to `see`.
pub fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Done {
    command.stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_start(command, &error))?;
    let stdout = child.stdout.take().expect("stdout is piped right above");
    let read: io::Result<()> = BufReader::new(stdout).lines().try_for_each(|line| {
        let line = line?;
        see(&line);
        println!("{line}");
        Ok(())
    });
    let status = child.wait().map_err(|error| cannot_start(command, &error))?;
    ended(command, status.code())?;
    read.map_err(|error| Stop::from(format!("failed to read `{}`: {error}", name_of(command))))
}

fn ended(command: &Command, code: Option<i32>) -> Done {
    match code {
        Some(0) => Ok(()),
        Some(code) => {
            let why = format!("`{}` ended with exit code {code}", name_of(command));
            Err(Stop { exit: u8::try_from(code).unwrap_or(1), why })
        }
        None => Err(Stop::from(format!("`{}` was stopped by a signal", name_of(command)))),
    }
}

fn cannot_start(command: &Command, error: &io::Error) -> Stop {
    Stop::from(format!("failed to run `{}`: {error}", name_of(command)))
}

/// The command as one would type it.
fn name_of(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    [program].into_iter().chain(args).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_passed_on_with_the_command() {
        let stop = run(program("sh").args(["-c", "exit 5"])).unwrap_err();
        assert_eq!(stop.exit, 5);
        assert_eq!(stop.why, "`sh -c exit 5` ended with exit code 5");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let stop = run(program("no-such-program").arg("x")).unwrap_err();
        assert_eq!(stop.exit, 1);
        assert!(stop.why.starts_with("failed to run `no-such-program x`: "), "{}", stop.why);
    }

    #[test]
    fn output_is_what_stdout_said_and_nothing_of_a_failure() {
        let said = output(program("sh").args(["-c", "echo a; echo b; echo c >&2"])).unwrap();
        assert_eq!(said, "a\nb\n");
        assert_eq!(output(program("sh").args(["-c", "echo a; exit 3"])).unwrap_err().exit, 3);
    }

    #[test]
    fn every_line_is_seen() {
        let mut lines = Vec::new();
        let see = |line: &str| lines.push(line.to_owned());
        let stop = watch(program("sh").args(["-c", "echo a; echo b; exit 4"]), see).unwrap_err();
        assert_eq!((lines, stop.exit), (vec!["a".to_owned(), "b".to_owned()], 4));
    }

    #[test]
    fn lockstep_is_run_from_the_root_through_cargo() {
        let command = lockstep(["replay"]);
        let name = name_of(&command);
        assert!(name.ends_with(" run --package lockstep --bin lockstep --release -- replay"));
        assert!(command.get_current_dir().unwrap().join("xtask/Cargo.toml").is_file());
    }

    #[test]
    fn a_value_is_found_in_json_however_it_is_spaced() {
        assert_eq!(json_string(r#"{"bars":3,"digest":"ab12"}"#, "digest"), Some("ab12"));
        assert_eq!(
            json_string("{\n  \"digest\" : \"ab12\",\n  \"x\": 1\n}", "digest"),
            Some("ab12")
        );
        assert_eq!(json_string(r#"{"name":"digest","digest":"ab12"}"#, "digest"), Some("ab12"));
    }

    #[test]
    fn no_value_is_no_value() {
        for json in ["", "{}", r#"{"digest":null}"#, r#"{"digest":""}"#, r#"{"digest":"ab"#] {
            assert_eq!(json_string(json, "digest"), None, "{json}");
        }
    }
}
