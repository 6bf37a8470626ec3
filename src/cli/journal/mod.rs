//! `lockstep journal`: what stands in a run's journal, and into other forms and back. One verb per
//! file; here is what they share.
//!
//! - [`cat`] events as lines of tape
//! - [`stats`] how much there is
//! - [`export`] the journal as an archive of Parquet files
//! - [`import`] an archive as a journal

pub mod cat;
pub mod export;
pub mod import;
mod recover;
mod state;
pub mod stats;
#[cfg(test)]
mod testing;

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use crate::journal::JournalError;
use crate::journal::error::Damage;
use crate::sinks::archive::ArchiveError;

use super::exit::Exit;
use super::failure::Failure;

/// Read a journal.
#[derive(Clone, Debug, clap::Args)]
pub struct JournalArgs {
    /// What is wanted of it
    #[command(subcommand)]
    pub command: JournalCommand,
}

/// What is wanted of a journal.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum JournalCommand {
    /// Print events, one line each
    Cat(cat::CatArgs),
    /// Count events, bytes and batches, and check the digest
    Stats(stats::StatsArgs),
    /// Put a journal in order that was left in the middle, so that it can go on
    Recover(recover::RecoverArgs),
    /// Show the state of the core after an input, one hash for each part
    State(state::StateArgs),
    /// Write a journal as an archive of Parquet files
    Export(export::ExportArgs),
    /// Write an archive back as a journal
    Import(import::ImportArgs),
}

/// Runs `lockstep journal`.
///
/// # Errors
/// When there is no journal, it is damaged, or it cannot be read, written or printed.
pub fn run(args: JournalArgs) -> Result<Exit, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match args.command {
        JournalCommand::Cat(args) => cat::cat(&args, &mut out, &mut io::stderr()),
        JournalCommand::Stats(args) => stats::stats(&args, &mut out),
        JournalCommand::Recover(args) => recover::recover(&args, &mut out),
        JournalCommand::State(args) => state::state(&args, &mut out),
        JournalCommand::Export(args) => export::export(&args, &mut out, &mut io::stderr()),
        JournalCommand::Import(args) => import::import(&args, &mut out, &mut io::stderr()),
    };
    ended(done.and_then(|exit| Ok(out.flush().map(|()| exit)?)))
}

fn ended(done: Result<Exit, Stop>) -> Result<Exit, Failure> {
    match done {
        Ok(exit) => Ok(exit),
        // Whoever read the output has seen enough: `| head` is no failure.
        Err(Stop::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Same),
        Err(Stop::Output(error)) => {
            Err(Failure::new(Exit::Io, "failed to write the result").because(error))
        }
        Err(Stop::Failure(failure)) => Err(*failure),
    }
}

/// Why a command stops before its end.
#[derive(Debug)]
pub enum Stop {
    /// The output takes nothing more.
    Output(io::Error),
    /// Something is wrong.
    Failure(Box<Failure>),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Output(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failure(Box::new(failure))
    }
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Stop {
        Failure::from(error).into()
    }
}

/// Words for a journal whose bytes at `place` are not what was written.
fn damaged(place: &str, seq: u64, damage: &Damage) -> Failure {
    let failure = Failure::new(Exit::Damaged, "the journal is damaged")
        .at(place)
        .because(damage)
        .because(format!("inputs before {seq} are not affected"));
    failure.hint(match damage {
        Damage::UnknownKind { .. } => "use the version of lockstep that wrote it",
        _ => "repeat the run, or restore the file; nothing was changed",
    })
}

/// Words for a journal that holds less than it has promised.
fn lost(path: &Path, found: u64, batches: u64, next_seq: u64) -> Failure {
    Failure::new(Exit::Damaged, "the journal has lost events that were acknowledged")
        .at(path.display())
        .because(format!("{batches} batches up to input {next_seq} were on the disk"))
        .because(format!("{found} of them are there now"))
        .hint("restore the file from a copy; nothing was changed")
}

/// In words for people.
impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Failure {
        match error {
            JournalError::Io { doing, path, source } => {
                let writes = ["creating", "writing", "syncing"].contains(&doing);
                let verb = if writes { "write" } else { "read" };
                Failure::new(Exit::Io, format!("failed to {verb} the journal"))
                    .at(path.display())
                    .because(format!("{doing}: {source}"))
            }
            JournalError::Absent { path } => Failure::new(Exit::Usage, "found no journal")
                .at(path.display())
                .because("neither it nor log/ in it holds a segment (*.evl)")
                .hint("give the directory of a run that kept its journal"),
            JournalError::TooNew { path, what, found } => {
                Failure::new(Exit::Damaged, "failed to read the journal")
                    .at(path.display())
                    .because(format!("{what} {found} is unknown to this program"))
                    .hint("use the version of lockstep that wrote it, or a later one")
            }
            JournalError::TooOld { path, found, oldest } => {
                Failure::new(Exit::Damaged, "failed to read the journal")
                    .at(path.display())
                    .because(format!(
                        "it is of format {found}, a draft; this program reads {oldest} and later"
                    ))
                    .hint("run the replay again, or read it with the lockstep that wrote it")
            }
            JournalError::Damaged { path, offset, seq, damage } => {
                damaged(&format!("{}, byte {offset}", path.display()), seq, &damage)
            }
            JournalError::Refused { id, refusal } => {
                Failure::new(Exit::Damaged, format!("record {id} cannot be journalled"))
                    .because(refusal)
            }
            JournalError::Poisoned { path } => {
                Failure::new(Exit::Io, "failed to write the journal")
                    .at(path.display())
                    .because("an earlier write failed, so nothing more is written")
            }
            JournalError::Lost { path, found, batches, next_seq } => {
                lost(&path, found, batches, next_seq)
            }
            JournalError::Ended { path } => {
                Failure::new(Exit::Usage, "the run has ended, nothing can be added to it")
                    .at(path.display())
                    .hint("another run goes elsewhere, as with `--journal DIR`")
            }
            JournalError::OtherRun { path, found, wanted } => {
                Failure::new(Exit::Usage, "the directory holds another run")
                    .at(path.display())
                    .because(format!("there is run {found}, asked for is run {wanted}"))
                    .hint("give the same settings as at its start, or another directory")
            }
            JournalError::Full { path, bytes, source } => {
                Failure::new(Exit::Io, "no room for the journal")
                    .at(path.display())
                    .because(format!("the next segment needs {bytes} bytes: {source}"))
                    .because("everything that was acknowledged is on the disk")
                    .hint("make room and start again: the run goes on where it stopped")
            }
            JournalError::Locked { path, holder } => {
                Failure::new(Exit::Locked, "somebody else writes to this run")
                    .at(path.display())
                    .because(holder)
                    .hint("stop that process, or use another directory")
            }
        }
    }
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Stop {
        Failure::from(error).into()
    }
}

/// In words for people.
impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Failure {
        let changed = |path: &Path| {
            Failure::new(Exit::Damaged, "the archive is not what was exported").at(path.display())
        };
        let again = "export the run again, or restore the file; nothing was written";
        match error {
            ArchiveError::Journal(error) => Failure::from(error),
            ArchiveError::Io { doing, path, source } => {
                Failure::new(Exit::Io, "failed to read or write files")
                    .at(path.display())
                    .because(format!("{doing}: {source}"))
            }
            ArchiveError::Empty { path } => Failure::new(Exit::Nothing, "nothing to export")
                .at(path.display())
                .because("the journal holds no committed record"),
            ArchiveError::Exists { path } => {
                Failure::new(Exit::Usage, "there is something of that name already")
                    .at(path.display())
                    .because("a new directory is made, and nothing is written over")
                    .hint("give another --out, or move this away")
            }
            ArchiveError::Absent { path } => Failure::new(Exit::Usage, "found no archive")
                .at(path.display())
                .because("there is no manifest.json in it")
                .hint("give a directory that `lockstep journal export` has written"),
            ArchiveError::Manifest { path, why } => changed(&path).because(why).hint(again),
            ArchiveError::File { path, why } => changed(&path).because(why).hint(again),
            ArchiveError::Row { path, id, why: why @ Damage::UnknownKind { .. } } => {
                Failure::new(Exit::Damaged, "the archive holds what this program does not know")
                    .at(path.display())
                    .because(format!("record {id}: {why}"))
                    .hint("use the version of lockstep that wrote the journal")
            }
            ArchiveError::Row { path, id, why } => {
                changed(&path).because(format!("record {id}: {why}")).hint(again)
            }
            ArchiveError::Foreign { path, what, found, known } => {
                Failure::new(Exit::Damaged, "the archive is of another version of lockstep")
                    .at(path.display())
                    .because(format!("{what} {found}, this program has {known}"))
                    .hint("use the version of lockstep that wrote the journal")
            }
            ArchiveError::Differs { path, what, wanted, found } => {
                Failure::new(Exit::Damaged, "what was written is not what was read")
                    .at(path.display())
                    .because(format!("{what} is {found}, it was {wanted}"))
                    .hint("nothing was kept; please report this")
            }
        }
    }
}
