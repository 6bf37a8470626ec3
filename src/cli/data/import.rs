//! `lockstep data import`: other people's files into the store.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::store_failure;
use crate::domain::instrument::Instrument;
use crate::sources::import::{
    ColumnNames, ImportError, Imported, Label, NaiveClock, Outside, Request, import,
};
use crate::sources::market::Market;

/// Arguments of `lockstep data import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// CSV or Parquet files of one instrument
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The instrument's key, such as NSE_EQ|INE155A01022
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    symbol: String,
    /// Directory of the history; made where it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Which end of its minute a bar's time names
    #[arg(long, value_name = "END", value_enum, default_value_t)]
    label: LabelChoice,
    /// Take times without an offset as universal time, not Indian time
    #[arg(long)]
    utc: bool,
    /// Replace months that the history already has
    #[arg(long)]
    replace: bool,
    /// Put bad rows into this CSV file and import the rest
    #[arg(long, value_name = "FILE")]
    quarantine: Option<PathBuf>,
    #[command(flatten)]
    columns: ColumnArgs,
}

/// Names of columns. Without them the usual names are looked for, whatever their case.
#[derive(Debug, Args)]
struct ColumnArgs {
    /// Column of the time [default: found by its usual names, as are the others]
    #[arg(long, value_name = "NAME")]
    time_column: Option<String>,
    /// Column of the first price, in rupees, as are the others
    #[arg(long, value_name = "NAME")]
    open_column: Option<String>,
    /// Column of the highest price
    #[arg(long, value_name = "NAME")]
    high_column: Option<String>,
    /// Column of the lowest price
    #[arg(long, value_name = "NAME")]
    low_column: Option<String>,
    /// Column of the last price
    #[arg(long, value_name = "NAME")]
    close_column: Option<String>,
    /// Column of the volume, in shares
    #[arg(long, value_name = "NAME")]
    volume_column: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LabelChoice {
    /// Find out from the first bars of the sessions
    #[default]
    Auto,
    /// 09:15 is the minute from 09:15 to 09:16
    Start,
    /// 09:16 is the minute from 09:15 to 09:16
    End,
}

/// Imports the files and says what was done, one fact per line.
pub(super) fn run(args: ImportArgs, market: &Market) -> Result<(String, Exit), Failure> {
    let key = args.symbol.clone();
    let request = request(args);
    let stranger = Instrument { key: key.clone(), isin: String::new(), listings: Vec::new() };
    let known = market.instrument(&key);
    let done =
        import(&request, known.unwrap_or(&stranger), &market.calendar).map_err(import_failure)?;
    Ok((facts(&done, &key, known), Exit::Same))
}

fn request(args: ImportArgs) -> Request {
    let columns = ColumnNames {
        time: args.columns.time_column,
        open: args.columns.open_column,
        high: args.columns.high_column,
        low: args.columns.low_column,
        close: args.columns.close_column,
        volume: args.columns.volume_column,
    };
    Request {
        files: args.files,
        columns,
        label: match args.label {
            LabelChoice::Auto => None,
            LabelChoice::Start => Some(Label::Start),
            LabelChoice::End => Some(Label::End),
        },
        naive: if args.utc { NaiveClock::Utc } else { NaiveClock::India },
        out: args.out,
        replace: args.replace,
        quarantine: args.quarantine,
    }
}

/// What was done, one fact per line. Facts that are nothing are left out.
fn facts(done: &Imported, key: &str, known: Option<&Instrument>) -> String {
    let mut lines = Vec::new();
    let (first, last) = done.range;
    match known {
        Some(instrument) => lines.push(format!("{key} {}", instrument.symbol_at(last.date()))),
        None => lines.push(format!(
            "{key} is not in the instrument master: the hours of ordinary stocks were assumed"
        )),
    }
    for file in &done.files {
        let label = match file.label {
            Some(Label::Start) => "bars labelled by their start",
            Some(Label::End) => "bars labelled by their end, moved to their start",
            None => "no usable bar",
        };
        lines.push(format!("{}: {} rows, {label}", file.path.display(), file.rows));
    }
    lines.push(format!("bars from {first} to {last}"));
    let mut count = |count: usize, what: &str| {
        if count > 0 {
            lines.push(format!("{count} {what}"));
        }
    };
    count(done.out_of_order, "rows out of order, sorted");
    count(done.duplicates, "rows the same as another, dropped");
    count(done.quarantined, "bad rows, in quarantine");
    let mut outside = |outside: Outside, what: &str| {
        if let Some(first) = outside.first {
            count(outside.count, &format!("bars {what} kept, the first at {first}"));
        }
    };
    outside(done.outside_hours, "outside the session's hours");
    outside(done.outside_days, "of days without trading");
    for (path, bars) in &done.written {
        lines.push(format!("wrote {} with {bars} bars", path.display()));
    }
    lines.iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").expect("text takes every write");
        text
    })
}

/// A refused import in words.
fn import_failure(error: ImportError) -> Failure {
    let usage = |what: &str| Failure::new(Exit::Usage, what);
    match error {
        ImportError::Store(error) => store_failure(error),
        ImportError::Io { path, source } if source.kind() == ErrorKind::NotFound => {
            usage("there is no such file").at(path.display())
        }
        ImportError::Io { path, source } => {
            Failure::new(Exit::Io, "failed to read a file").at(path.display()).because(source)
        }
        ImportError::Unreadable { path, why } => {
            Failure::new(Exit::Damaged, "a file is neither sound CSV nor sound Parquet")
                .at(path.display())
                .because(why)
        }
        ImportError::Column { path, role, count, names, found } => {
            let what = match count {
                0 => format!("no column is the {role}"),
                _ => format!("{count} columns could be the {role}, where one must be"),
            };
            usage(&what)
                .at(path.display())
                .because(format!("wanted one of {}", names.join(", ")))
                .because(format!("the file has {}", found.join(", ")))
                .hint(format!("name the column with --{role}-column"))
        }
        ImportError::ColumnType { path, column, found } => {
            usage(&format!("nothing can be read from column {column}"))
                .at(path.display())
                .because(format!("its type is {found}"))
        }
        ImportError::Label { path, seen } => {
            usage("it is not certain whether bars are labelled by their start or their end")
                .at(path.display())
                .because(seen)
                .hint("say which with --label start or --label end")
        }
        ImportError::BadRows { first, total } => {
            let what = format!("rows that are no bars: {total}; nothing was imported");
            let failure = Failure::new(Exit::Damaged, what);
            let more = total - first.len();
            let failure = first.iter().fold(failure, |failure, row| failure.because(row));
            let failure =
                if more > 0 { failure.because(format!("and {more} more")) } else { failure };
            failure.hint("put them aside with --quarantine FILE and import the rest")
        }
        ImportError::Exists { paths } => {
            let failure = usage("files are there already; nothing was imported");
            let failure =
                paths.iter().fold(failure, |failure, path| failure.because(path.display()));
            failure.hint("write over them with --replace")
        }
        ImportError::Empty { files, bad } => {
            let failure = Failure::new(Exit::Nothing, "there is no bar to import");
            let failure =
                files.iter().fold(failure, |failure, path| failure.because(path.display()));
            failure.because(format!("bad rows: {bad}"))
        }
    }
}
