//! `lockstep journal export RUN --out DIR`: a run's journal as Parquet files.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::exit::Exit;
use crate::cli::terminal::{fact, grouped};
use crate::sinks::archive::{self, Manifest};

use super::Stop;

/// From where to where.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    /// The run's directory, or its log/
    pub run: PathBuf,
    /// The archive: a directory that is not there yet
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Writes the archive and says what is in it.
pub fn export(
    args: &ExportArgs,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<Exit, Stop> {
    let manifest = archive::export(&args.run, &args.out)?;
    let run = args.run.display();
    out.write_all(fact("Journal", &format!("{run} · {}", of_run(&manifest))).as_bytes())?;
    let place = args.out.display();
    out.write_all(fact("Archive", &format!("{place} · {}", of_files(&manifest))).as_bytes())?;
    let rows = grouped(manifest.records);
    let digest: String = manifest.digest_after.chars().take(12).collect();
    let proof = format!("verified · {rows} rows decoded again · all events {digest}");
    out.write_all(fact("Export", &proof).as_bytes())?;
    out.flush()?;
    if !manifest.sealed {
        let inputs = manifest.inputs;
        writeln!(
            notes,
            "note: the journal ends early, after {inputs} inputs; so does the archive"
        )?;
    }
    Ok(Exit::Same)
}

/// What a run was.
pub fn of_run(manifest: &Manifest) -> String {
    let run: String = manifest.run_id.chars().take(12).collect();
    let end = if manifest.sealed { "sealed" } else { "ended early" };
    format!("run {run} · {} events · {end}", grouped(manifest.records))
}

/// What its archive is.
pub fn of_files(manifest: &Manifest) -> String {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let files = grouped(manifest.files.len() as u64);
    format!("files {files} · {:.2} MB", bytes as f64 / 1_000_000.0)
}
