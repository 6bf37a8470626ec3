//! `lockstep journal stats RUN`: how much there is in a journal, and its digest.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::terminal::grouped;
use crate::domain::event::Event;
use crate::domain::time::Timestamp;
use crate::journal::record::Kind;
use crate::journal::segment::RunId;
use crate::journal::{Buffer, Digest, End, JournalError, Reader};

use super::Stop;

/// How much there is.
#[derive(Clone, Debug, clap::Args)]
pub struct StatsArgs {
    /// The run's directory, or its log/
    pub run: PathBuf,
    /// How the result is written
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,
}

/// How the result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
    /// One row for each measure
    Csv,
}
/// What is counted.
struct Stats {
    run_id: RunId,
    core_version: u32,
    /// Records by number and version of their kind.
    counts: BTreeMap<(u16, u16), u64>,
    records: u64,
    inputs: u64,
    batches: u64,
    segments: usize,
    bytes: u64,
    first_time: Option<Timestamp>,
    last_time: Option<Timestamp>,
    digest: Digest,
    end: End,
}

/// Prints the counts.
pub fn stats(args: &StatsArgs, out: &mut impl Write) -> Result<Exit, Stop> {
    let stats = Stats::of(Reader::open(&args.run)?)?;
    match args.format {
        Format::Human => {
            for (measure, value) in stats.rows() {
                let value = value.parse().map_or(value, grouped);
                // A digest and the longest word before it are as wide as a small terminal.
                writeln!(out, "{measure:<15} {value}")?;
            }
        }
        Format::Json => writeln!(out, "{:#}", stats.json())?,
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut *out);
            let rows = [("measure".into(), "value".into())].into_iter().chain(stats.rows());
            for (measure, value) in rows {
                csv.write_record([measure, value]).map_err(io::Error::from)?;
            }
            csv.flush()?;
        }
    }
    Ok(Exit::Same)
}

impl Stats {
    fn of(mut reader: Reader) -> Result<Stats, JournalError> {
        let (run_id, core_version) = (reader.header().run_id, reader.header().core_version);
        let (mut counts, mut scratch) = (BTreeMap::new(), Buffer::default());
        let (mut first_time, mut last_time) = (None, None);
        while let Some(raw) = reader.next_raw()? {
            *counts.entry((raw.kind, raw.version)).or_insert(0) += 1;
            // A kind of a later program is counted all the same.
            if raw.known_kind().is_some() {
                let record = raw.decode(&mut scratch);
                let record = record.map_err(|damage| reader.record_damaged(damage))?;
                if let Event::Input(_) = &record.event {
                    let time = record.event.time();
                    first_time = first_time.or(time);
                    last_time = last_time.max(time);
                }
            }
        }
        let end = reader.end().expect("the records were read to their end");
        Ok(Stats {
            run_id,
            core_version,
            records: counts.values().sum(),
            counts,
            inputs: reader.inputs(),
            batches: reader.batches(),
            segments: reader.segments().len(),
            bytes: reader.segments().iter().map(|segment| segment.bytes).sum(),
            first_time,
            last_time,
            digest: reader.digest(),
            end,
        })
    }

    fn rows(&self) -> Vec<(String, String)> {
        let row = |measure: &str, value: &dyn ToString| (measure.into(), value.to_string());
        let time = |time: Option<Timestamp>| time.map_or("-".into(), |time| time.to_string());
        let mut rows = vec![
            row("run", &self.run_id),
            row("core version", &self.core_version),
            row("first time", &time(self.first_time)),
            row("last time", &time(self.last_time)),
            row("inputs", &self.inputs),
            row("records", &self.records),
        ];
        rows.extend(self.counts().map(|(word, count)| (word, count.to_string())));
        rows.extend([
            row("segments", &self.segments),
            row("batches", &self.batches),
            row("bytes", &self.bytes),
            row("digest", &self.digest),
            row("end", &self.end_in_words()),
        ]);
        rows
    }

    fn json(&self) -> serde_json::Value {
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let trailing_bytes = match self.end {
            End::Sealed(_) => None,
            End::Unsealed { trailing_bytes } => Some(trailing_bytes),
        };
        json!({
            "run": self.run_id.to_string(),
            "core_version": self.core_version,
            "first_time": time(self.first_time),
            "last_time": time(self.last_time),
            "inputs": self.inputs,
            "records": self.records,
            "kinds": self.counts().collect::<BTreeMap<String, u64>>(),
            "segments": self.segments,
            "batches": self.batches,
            "bytes": self.bytes,
            "digest": self.digest.to_string(),
            "sealed": trailing_bytes.is_none(),
            "trailing_bytes": trailing_bytes,
        })
    }

    /// Records of each kind by its word.
    fn counts(&self) -> impl Iterator<Item = (String, u64)> {
        self.counts.iter().map(|(&(kind, version), count)| {
            let word = match Kind::known(kind, version) {
                Some(kind) => kind.schema().word.into(),
                None => format!("kind {kind} v{version}"),
            };
            (word, *count)
        })
    }

    fn end_in_words(&self) -> String {
        match self.end {
            End::Sealed(_) => "sealed".into(),
            End::Unsealed { trailing_bytes: 0 } => "not sealed: ended early".into(),
            End::Unsealed { trailing_bytes } => {
                format!("not sealed: ended early, {trailing_bytes} bytes after the last commit")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::journal::testing::journal;

    fn counted(run: &Path, format: Format) -> String {
        let mut out = Vec::new();
        stats(&StatsArgs { run: run.into(), format }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn statistics_are_one_measure_per_row() {
        let dir = journal(true);
        insta::assert_snapshot!(counted(dir.path(), Format::Human), @"
        run             d3500557e87889f9e04e0c0d30d11a3d
        core version    2
        first time      2024-10-01T09:15
        last time       2024-10-01T15:30
        inputs          9
        records         20
        run-started     1
        bar             1
        tick            1
        watermark       1
        command         1
        backfill        1
        gap             1
        notice          1
        run-ended       1
        bar-1m          1
        bar-15m         1
        indicators      1
        signal          1
        order           1
        rejection       1
        fill            1
        position        1
        halt            1
        session-ended   1
        bar-15m-revised 1
        segments        1
        batches         9
        bytes           7,040
        digest          685813e969c0d9b1ad764d79be8e0c3a6033db345adaea0b71c15b27182bc92d
        end             sealed
        ");
        let csv = counted(dir.path(), Format::Csv);
        assert!(csv.starts_with("measure,value\nrun,"));
        assert!(csv.contains("\nbar,1\n") && csv.ends_with("\nend,sealed\n"));
        let json: serde_json::Value =
            serde_json::from_str(&counted(dir.path(), Format::Json)).unwrap();
        assert_eq!(json["kinds"]["bar"], 1);
        assert_eq!(json["sealed"], true);
        assert_eq!(json["trailing_bytes"], serde_json::Value::Null);
    }

    #[test]
    fn an_early_end_is_said() {
        let dir = journal(false);
        let stats = counted(dir.path(), Format::Human);
        assert!(stats.ends_with("not sealed: ended early\n"), "{stats}");
    }
}
