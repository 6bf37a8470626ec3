//! `lockstep journal cat RUN` and `lockstep journal stats RUN`: what stands in a journal, as lines
//! of tape, and how much of it there is. Both only read.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use serde_json::json;

use crate::domain::event::{Event, Input, Output, RunStarted};
use crate::domain::instrument::InstrumentId;
use crate::domain::tape::{Names, write_record};
use crate::domain::time::Timestamp;
use crate::journal::error::Damage;
use crate::journal::record::{Kind, REGISTRY};
use crate::journal::segment::RunId;
use crate::journal::{Buffer, Digest, End, JournalError, Reader, codec};

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
    Cat(CatArgs),
    /// Count events, bytes and batches, and check the digest
    Stats(StatsArgs),
}

/// Which events are printed.
#[derive(Clone, Debug, clap::Args)]
pub struct CatArgs {
    /// The run's directory, or its log/
    pub run: PathBuf,
    /// First input
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub from: u64,
    /// Last input
    #[arg(long, value_name = "SEQ", default_value_t = u64::MAX, hide_default_value = true)]
    pub to: u64,
    /// Only these kinds, with commas between, such as signal,fill
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind_of)]
    pub kind: Vec<Kind>,
    /// Only events of this instrument: its key, or a symbol it had
    #[arg(long, value_name = "KEY")]
    pub symbol: Option<String>,
    /// At most so many lines
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    pub limit: u64,
}

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

fn kind_of(word: &str) -> Result<Kind, String> {
    Kind::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = REGISTRY.iter().map(|schema| schema.word).collect();
        format!("the kinds are {}", words.join(", "))
    })
}

/// Runs `lockstep journal`.
///
/// # Errors
/// When there is no journal, it is damaged, or it cannot be read or printed.
pub fn run(args: JournalArgs) -> Result<Exit, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match args.command {
        JournalCommand::Cat(args) => cat(&args, &mut out, &mut io::stderr()),
        JournalCommand::Stats(args) => stats(&args, &mut out),
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
enum Stop {
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
            JournalError::Damaged { path, offset, seq, damage } => {
                let unknown = matches!(damage, Damage::UnknownKind { .. });
                let failure = Failure::new(Exit::Damaged, "the journal is damaged")
                    .at(format!("{}, byte {offset}", path.display()))
                    .because(&damage)
                    .because(format!("inputs before {seq} are not affected"));
                match unknown {
                    true => failure.hint("use the version of lockstep that wrote it"),
                    false => {
                        failure.hint("repeat the run, or restore the file; nothing was changed")
                    }
                }
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
                Failure::new(Exit::Damaged, "the journal has lost events that were acknowledged")
                    .at(path.display())
                    .because(format!("{batches} batches up to input {next_seq} were on the disk"))
                    .because(format!("{found} of them are there now"))
                    .hint("restore the file from a copy; nothing was changed")
            }
            JournalError::Ended { path } => {
                Failure::new(Exit::Usage, "the run has ended, nothing can be added to it")
                    .at(path.display())
                    .hint("start another run, in another directory")
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

/// Prints the events that are wanted.
fn cat(args: &CatArgs, out: &mut impl Write, notes: &mut impl Write) -> Result<Exit, Stop> {
    let mut reader = Reader::open(&args.run)?;
    let (mut names, mut wanted, mut lines) = (Names::default(), None, 0);
    while let Some(record) = reader.next_record()? {
        if record.id.seq > args.to || lines == args.limit {
            return Ok(exit_of(lines));
        }
        if let Event::Input(Input::RunStarted(run)) = &record.event {
            names = Names::of(run);
            wanted = args.symbol.as_deref().map(|symbol| instrument_of(run, symbol)).transpose()?;
        }
        let matches = record.id.seq >= args.from
            && (args.kind.is_empty() || args.kind.contains(&kind(&record.event)))
            && wanted.is_none_or(|wanted| about(&record.event) == Some(wanted));
        if matches {
            writeln!(out, "{}", write_record(&record, &names))?;
            lines += 1;
        }
    }
    if let Some(End::Unsealed { trailing_bytes }) = reader.end() {
        out.flush()?;
        let inputs = reader.inputs();
        writeln!(
            notes,
            "note: the journal ends early, after {inputs} inputs; {trailing_bytes} \
            bytes after its last commit are no event"
        )?;
    }
    Ok(exit_of(lines))
}

const fn exit_of(lines: u64) -> Exit {
    if lines == 0 { Exit::Nothing } else { Exit::Same }
}

/// The instrument of that key, or the only one that ever had that symbol.
fn instrument_of(run: &RunStarted, symbol: &str) -> Result<InstrumentId, Failure> {
    let places = |matches: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..run.instruments.len()).filter(|place| matches(*place)).collect()
    };
    let mut found = places(&|place| run.instruments[place].key == symbol);
    if found.is_empty() {
        let listings = |place: usize| run.instruments[place].listings.iter();
        found = places(&|place| {
            listings(place).any(|listing| listing.symbol.eq_ignore_ascii_case(symbol))
        });
    }
    let keys = |places: &[usize]| -> String {
        let keys: Vec<&str> = places.iter().map(|place| &*run.instruments[*place].key).collect();
        keys.join(", ")
    };
    match found[..] {
        [place] => Ok(InstrumentId(u16::try_from(place).map_err(|_| {
            Failure::new(Exit::Damaged, "the run lists more instruments than there can be")
        })?)),
        [] => Err(Failure::new(Exit::Usage, format!("the run has no instrument '{symbol}'"))
            .because(format!("it has {}", keys(&places(&|_| true))))),
        _ => Err(Failure::new(Exit::Usage, format!("more than one instrument was '{symbol}'"))
            .hint(format!("give one of the keys {}", keys(&found)))),
    }
}

fn kind(event: &Event) -> Kind {
    match event {
        Event::Input(input) => codec::input_kind(input),
        Event::Output(output) => codec::output_kind(output),
    }
}

/// The instrument that an event is about.
fn about(event: &Event) -> Option<InstrumentId> {
    match event {
        Event::Input(input) => match input {
            Input::Bar(bar) => Some(bar.instrument),
            Input::Tick(tick) => Some(tick.instrument),
            Input::RunStarted(_) | Input::Watermark(_) | Input::Command(_) | Input::RunEnded(_) => {
                None
            }
        },
        Event::Output(output) => match output {
            Output::Bar1m(bar) => Some(bar.instrument),
            Output::Bar15m(bar) => Some(bar.instrument),
            Output::Indicators(row) => Some(row.instrument),
            Output::Signal(signal) => Some(signal.instrument),
            Output::Order(order) => Some(order.instrument),
            Output::Rejection(rejection) => Some(rejection.instrument),
            Output::Fill(fill) => Some(fill.instrument),
            Output::Position(position) => Some(position.instrument),
            Output::Halt(_) | Output::SessionEnded(_) => None,
        },
    }
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

fn stats(args: &StatsArgs, out: &mut impl Write) -> Result<Exit, Stop> {
    let stats = Stats::of(Reader::open(&args.run)?)?;
    match args.format {
        Format::Human => {
            for (measure, value) in stats.rows() {
                writeln!(out, "{measure:<16} {value}")?;
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
                let time = time_of(&record.event);
                first_time = first_time.or(time);
                last_time = last_time.max(time);
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

/// When an input happened.
const fn time_of(event: &Event) -> Option<Timestamp> {
    match event {
        Event::Input(Input::Bar(bar)) => Some(bar.open_time),
        Event::Input(Input::Tick(tick)) => Some(tick.time),
        Event::Input(Input::Watermark(time)) => Some(*time),
        Event::Input(Input::Command(command)) => Some(command.time),
        Event::Input(Input::RunEnded(end)) => Some(end.time),
        Event::Input(Input::RunStarted(_)) | Event::Output(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::domain::event::{Derived, EventId};
    use crate::journal::samples::{self, samples};
    use crate::journal::{Identity, Writer};

    /// One input of each kind, and all outputs under the first bar.
    fn journal(seal: bool) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::of_replay(&samples::run()).unwrap();
        let limits = crate::journal::Limits { batch_records: 1, ..Default::default() };
        let mut writer = Writer::create_with(dir.path(), identity, limits).unwrap();
        let outputs: Vec<Output> = samples()
            .into_iter()
            .filter_map(|(_, event)| match event {
                Event::Output(output) => Some(output),
                Event::Input(_) => None,
            })
            .collect();
        let mut seq = 0;
        for (_, event) in samples() {
            let Event::Input(input) = event else { continue };
            writer.input(seq, 0, &input).unwrap();
            if matches!(input, Input::Bar(_)) {
                for (index, output) in (1..).zip(outputs.iter().cloned()) {
                    writer.output(seq, index, &Derived { cause: index - 1, output }).unwrap();
                }
            }
            seq += 1;
        }
        if seal {
            writer.seal().unwrap();
        }
        dir
    }

    fn args(run: &Path) -> CatArgs {
        let (run, limit) = (run.into(), u64::MAX);
        CatArgs { run, from: 0, to: u64::MAX, kind: vec![], symbol: None, limit }
    }

    fn printed(args: &CatArgs) -> (String, String, Exit) {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let exit = cat(args, &mut out, &mut notes).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap(), exit)
    }

    fn counted(run: &Path, format: Format) -> String {
        let mut out = Vec::new();
        stats(&StatsArgs { run: run.into(), format }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn failure(stop: Result<Exit, Stop>) -> Failure {
        match stop.unwrap_err() {
            Stop::Failure(failure) => *failure,
            Stop::Output(error) => panic!("{error}"),
        }
    }

    #[test]
    fn events_are_printed_as_a_tape() {
        let dir = journal(true);
        let short = [
            Kind::Bar,
            Kind::Rejection,
            Kind::Position,
            Kind::Halt,
            Kind::SessionEnded,
            Kind::Tick,
            Kind::Watermark,
            Kind::Command,
            Kind::RunEnded,
        ];
        let (out, notes, exit) = printed(&CatArgs { kind: short.into(), ..args(dir.path()) });
        assert_eq!((notes.as_str(), exit), ("", Exit::Same));
        insta::assert_snapshot!(out, @r"
        1         bar NSE_EQ|INE155A01022 2024-10-01T09:15 974.50 975.20 974.10 975.00 18342
        1.6<5     rejection NSE_EQ|INE155A01022 2024-10-01T15:10 entry-cutoff
        1.8<7     position NSE_EQ|INE155A01022 -102 cost=-99444.90 realized=0.00 cash=199399.7766
        1.9<8     halt 2024-10-01T13:07 daily-loss day_profit=-5001.00
        1.10<9    session-ended 2024-10-01 gross=-123.45 fees=90.2468 equity=99786.3032
        2         tick NSE_EQ|INE155A01022 2024-10-01T09:15:07 974.55 25
        3         watermark 2024-10-01T09:30
        4         command 2024-10-01T10:01 flatten
        5         run-ended 2024-10-01T15:30 completed
        ");
    }

    #[test]
    fn events_are_chosen_by_number_kind_and_instrument() {
        let dir = journal(true);
        let all = args(&dir.path().join("log"));
        let addresses = |args: CatArgs| -> String {
            let (out, _, _) = printed(&args);
            let words = out.lines().map(|line| line.split(' ').next().unwrap());
            words.collect::<Vec<_>>().join(" ")
        };
        let kinds = vec![Kind::Signal, Kind::Fill];
        assert_eq!(addresses(CatArgs { kind: kinds, ..all.clone() }), "1.4<3 1.7<6");
        assert_eq!(addresses(CatArgs { from: 2, to: 3, ..all.clone() }), "2 3");
        assert_eq!(addresses(CatArgs { limit: 2, ..all.clone() }), "0 1");
        let symbol = Some("tatamotors".to_string());
        assert_eq!(addresses(CatArgs { symbol, from: 2, ..all.clone() }), "2");
        let key = Some("NSE_EQ|INE155A01022".to_string());
        assert_eq!(addresses(CatArgs { symbol: key, to: 1, limit: 2, ..all.clone() }), "1 1.1<0");
        assert_eq!(printed(&CatArgs { from: 9, ..all }).2, Exit::Nothing);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let dir = journal(true);
        let mut sink = Vec::new();
        let symbol = Some("TCS".to_string());
        let unknown = CatArgs { symbol, ..args(dir.path()) };
        let unknown = failure(cat(&unknown, &mut sink, &mut io::sink()));
        let absent = failure(cat(&args(Path::new("no/such/run")), &mut sink, &mut io::sink()));
        assert_eq!((unknown.exit, absent.exit), (Exit::Usage, Exit::Usage));
        insta::assert_snapshot!(format!("{unknown}\n{absent}"), @r"
        error: the run has no instrument 'TCS'
           = it has NSE_EQ|INE155A01022
        error: found no journal
          --> no/such/run
           = neither it nor log/ in it holds a segment (*.evl)
          help: give the directory of a run that kept its journal
        ");
        assert_eq!(kind_of("fill"), Ok(Kind::Fill));
        assert!(kind_of("fills").unwrap_err().contains("rejection, fill, position"));
    }

    #[test]
    fn statistics_are_one_measure_per_row() {
        let dir = journal(true);
        insta::assert_snapshot!(counted(dir.path(), Format::Human), @"
        run              1bb7624c7156d83117da6e385cf8a8d3
        core version     1
        first time       2024-10-01T09:15
        last time        2024-10-01T15:30
        inputs           6
        records          16
        run-started      1
        bar              1
        tick             1
        watermark        1
        command          1
        run-ended        1
        bar-1m           1
        bar-15m          1
        indicators       1
        signal           1
        order            1
        rejection        1
        fill             1
        position         1
        halt             1
        session-ended    1
        segments         1
        batches          6
        bytes            6800
        digest           5749c3aaa5f3b0573b64f4b7fae9aaeb2fbd3e18bfd32660d0954237192d9eb6
        end              sealed
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
    fn an_early_end_is_noted_but_is_no_failure() {
        let dir = journal(false);
        let (out, notes, exit) = printed(&args(dir.path()));
        assert_eq!((out.lines().count(), exit), (15, Exit::Same));
        assert_eq!(
            notes,
            "note: the journal ends early, after 5 inputs; 0 bytes after its last commit are no \
             event\n"
        );
        let stats = counted(dir.path(), Format::Human);
        assert!(stats.ends_with("not sealed: ended early\n"), "{stats}");
    }

    #[test]
    fn damage_says_where_it_is() {
        let dir = journal(true);
        let path = Reader::open(dir.path()).unwrap().segments()[0].path.clone();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4_200] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let failure = failure(cat(&args(dir.path()), &mut io::sink(), &mut io::sink()));
        assert_eq!(failure.exit, Exit::Damaged);
        assert!(failure.place.unwrap().ends_with("00000000000000000.evl, byte 4096"));
        assert_eq!(failure.why[0], "the checksum does not match");
    }

    #[test]
    fn an_output_that_is_closed_stops_the_printing() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let dir = journal(true);
        let stop = cat(&args(dir.path()), &mut Closed, &mut io::sink());
        let result = ended(stop);
        assert!(matches!(result, Ok(Exit::Same)));
    }

    #[test]
    fn the_tape_of_a_journal_is_read_back() {
        let dir = journal(true);
        let names = Names::of(&samples::run());
        let (out, _, _) = printed(&args(dir.path()));
        let read: Vec<EventId> = out
            .lines()
            .map(|line| crate::domain::tape::read_record(line, &names).unwrap().id)
            .collect();
        assert_eq!(read.len(), samples().len());
        assert!(read.is_sorted());
    }
}
