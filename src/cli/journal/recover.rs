//! `lockstep journal recover RUN`: puts a journal in order that was left in the middle, and says
//! what was done. Nothing else but `lockstep live` ever does that, and neither touches a file
//! that is there.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::cli::clock;
use crate::cli::exit::Exit;
use crate::cli::live::{holder, salt_seed};
use crate::cli::terminal::{fact, grouped};
use crate::journal::lock::Lock;
use crate::journal::recover::{Findings, Report, examine, resume};
use crate::journal::writer::{Identity, Setup};
use crate::journal::{Disk, Files};

use super::Stop;
use super::stats::Format;

/// What is to be put in order.
#[derive(Clone, Debug, clap::Args)]
pub struct RecoverArgs {
    /// The run's directory
    pub run: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// How the result is written
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// Recovers the journal, if there is anything to do.
pub fn recover(args: &RecoverArgs, out: &mut impl Write) -> Result<Exit, Stop> {
    let disk: Arc<dyn Disk> = Arc::new(Files);
    let stamp = clock::stamp();
    let _lock = match args.dry_run {
        true => None,
        false => Some(Lock::take(&args.run, &holder(stamp))?),
    };
    let findings = examine(&disk, &args.run)?;
    let facts = Facts::of(&findings);
    let is_done = findings.is_sealed() || findings.is_whole();
    let report = match is_done || args.dry_run {
        true => None,
        false => {
            let run_id = findings.run_id;
            let identity =
                Identity { run_id, salt_seed: salt_seed(stamp), created_ns: stamp.wall_ns };
            let setup = Setup::durable(&args.run, identity, clock::stamp);
            let (writer, report) = resume(&setup, findings)?;
            drop(writer);
            Some(report)
        }
    };
    match args.format {
        Format::Json => writeln!(out, "{:#}", facts.json(report.as_ref()))?,
        Format::Human | Format::Csv => {
            out.write_all(facts.human(args, report.as_ref()).as_bytes())?;
        }
    }
    Ok(Exit::Same)
}

/// What was found, in words.
struct Facts {
    is_sealed: bool,
    is_whole: bool,
    records: u64,
    next_seq: u64,
    unpromised: u64,
    torn: Option<(PathBuf, u64, u64)>,
    leftovers: u64,
}

impl Facts {
    fn of(findings: &Findings) -> Facts {
        let torn = findings.torn.as_ref();
        Facts {
            is_sealed: findings.is_sealed(),
            is_whole: findings.is_whole(),
            records: findings.records,
            next_seq: findings.next_seq,
            unpromised: findings.unpromised() as u64,
            torn: torn.map(|torn| (torn.path.clone(), torn.offset, torn.bytes)),
            leftovers: findings.leftovers.len() as u64,
        }
    }

    fn human(&self, args: &RecoverArgs, report: Option<&Report>) -> String {
        let (records, next_seq) = (grouped(self.records), grouped(self.next_seq));
        let end = if self.is_sealed { "sealed" } else { "not sealed" };
        let run = args.run.display();
        let mut text = fact("Journal", &format!("{run} · {records} events · {end}"));
        if let Some((path, offset, bytes)) = &self.torn {
            let bytes = grouped(*bytes);
            let torn = format!("{bytes} unfinished bytes at {offset} of {}", path.display());
            text += &fact("Torn", &torn);
        }
        if self.unpromised > 0 {
            let count = grouped(self.unpromised);
            text += &fact("Unsure", &format!("{count} batches that may not be on the disk"));
        }
        let done = match report {
            _ if self.is_sealed => "nothing to do, the run is over".to_owned(),
            None if self.is_whole => format!("nothing to do, goes on at input {next_seq}"),
            None => format!("not changed, would go on at input {next_seq}"),
            Some(report) => {
                let Report { rewritten, quarantined, removed } = report;
                let copied = match quarantined {
                    Some(path) => format!(" · torn bytes copied to {}", path.display()),
                    None => String::new(),
                };
                format!(
                    "{} batches written anew · {} unfinished files removed{copied} · goes on at \
                     input {next_seq}",
                    grouped(*rewritten),
                    grouped(removed.len() as u64),
                )
            }
        };
        text + &fact("Recovery", &done)
    }

    fn json(&self, report: Option<&Report>) -> serde_json::Value {
        let torn = self
            .torn
            .as_ref()
            .map(|(path, offset, bytes)| json!({ "path": path, "offset": offset, "bytes": bytes }));
        let done = report.map(|report| {
            let Report { rewritten, quarantined, removed } = report;
            json!({ "rewritten": rewritten, "quarantined": quarantined, "removed": removed })
        });
        json!({
            "sealed": self.is_sealed,
            "records": self.records,
            "next_seq": self.next_seq,
            "unsure_batches": self.unpromised,
            "torn": torn,
            "unfinished_files": self.leftovers,
            "done": done,
        })
    }
}
