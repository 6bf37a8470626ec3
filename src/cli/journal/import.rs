//! `lockstep journal import DIR --out RUN`: an archive of Parquet files back as a journal.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::exit::Exit;
use crate::cli::terminal::{fact, grouped};
use crate::sinks::archive;

use super::Stop;
use super::export::{of_files, of_run};

/// From where to where.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportArgs {
    /// The archive's directory
    pub archive: PathBuf,
    /// The run's directory, which is not there yet
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
}

/// Writes the journal and says what it is.
pub fn import(
    args: &ImportArgs,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<Exit, Stop> {
    let imported = archive::import(&args.archive, &args.out)?;
    let manifest = &imported.manifest;
    let (place, count) = (args.archive.display(), grouped(imported.segments.len() as u64));
    out.write_all(fact("Archive", &format!("{place} · {}", of_files(manifest))).as_bytes())?;
    let run = args.out.display();
    out.write_all(fact("Journal", &format!("{run} · {}", of_run(manifest))).as_bytes())?;
    let segments = match (manifest.sealed, imported.same_segments()) {
        (_, true) => format!("{count} · the same bytes as those that were exported"),
        (true, false) => format!("{count} · the same records in other batches"),
        (false, false) => format!("{count} · the same records, without what was not committed"),
    };
    out.write_all(fact("Segments", &segments).as_bytes())?;
    let digest = imported.sealed.digest.short();
    out.write_all(fact("Import", &format!("verified · all events {digest}")).as_bytes())?;
    out.flush()?;
    if !manifest.sealed {
        let inputs = manifest.inputs;
        writeln!(notes, "note: the journal ended early, after {inputs} inputs; so does this one")?;
    }
    Ok(Exit::Same)
}
