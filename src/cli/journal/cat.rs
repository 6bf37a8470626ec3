//! `lockstep journal cat RUN`: events as lines of tape.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::domain::event::{Event, Input, RunStarted};
use crate::domain::instrument::InstrumentId;
use crate::domain::tape::{Names, write_record};
use crate::journal::record::{Kind, REGISTRY};
use crate::journal::{Buffer, End, Reader};

use super::Stop;

/// Which events are printed.
#[derive(Clone, Debug, clap::Args)]
pub struct CatArgs {
    /// The run's directory, or its log/
    pub run: PathBuf,
    /// First input, by its number: of the event 5117.3 it is 5117
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub from: u64,
    /// Last input, by its number [default: the last there is]
    #[arg(long, value_name = "SEQ", default_value_t = u64::MAX, hide_default_value = true)]
    pub to: u64,
    /// Only these kinds, with commas between, such as signal,fill; a word that is none lists them
    /// all
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind_of)]
    pub kind: Vec<Kind>,
    /// Only events of this instrument: its key, or a symbol it had
    #[arg(long, value_name = "KEY")]
    pub symbol: Option<String>,
    /// At most so many lines [default: all]
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    pub limit: u64,
}

fn kind_of(word: &str) -> Result<Kind, String> {
    Kind::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = REGISTRY.iter().map(|schema| schema.word).collect();
        format!("the kinds are {}", words.join(", "))
    })
}

/// Prints the events that are wanted. Kinds of a later program are left out and counted; a run that
/// is to be believed is looked at with `verify`, which refuses them.
pub fn cat(args: &CatArgs, out: &mut impl Write, notes: &mut impl Write) -> Result<Exit, Stop> {
    let mut reader = Reader::open(&args.run)?;
    let (mut names, mut wanted, mut lines) = (Names::default(), None, 0);
    let (mut unknown, mut scratch) = (BTreeMap::new(), Buffer::default());
    while let Some(raw) = reader.next_raw()? {
        if raw.id.seq > args.to || lines == args.limit {
            break;
        }
        let Some(kind) = raw.known_kind() else {
            let is_in_range = u64::from(raw.id.seq >= args.from);
            *unknown.entry((raw.kind, raw.version)).or_insert(0) += is_in_range;
            continue;
        };
        let record = raw.decode(&mut scratch);
        let record = record.map_err(|damage| reader.record_damaged(damage))?;
        if let Event::Input(Input::RunStarted(run)) = &record.event {
            names = Names::of(run);
            wanted = args.symbol.as_deref().map(|symbol| instrument_of(run, symbol)).transpose()?;
        }
        let matches = record.id.seq >= args.from
            && (args.kind.is_empty() || args.kind.contains(&kind))
            && wanted.is_none_or(|wanted| record.event.instrument() == Some(wanted));
        if matches {
            writeln!(out, "{}", write_record(&record, &names))?;
            lines += 1;
        }
    }
    out.flush()?;
    let unknown: Vec<String> = unknown
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|((kind, version), count)| format!("kind {kind} version {version}: {count}"))
        .collect();
    if !unknown.is_empty() {
        let kinds = unknown.join(", ");
        writeln!(notes, "note: left out what this program does not know ({kinds})")?;
    }
    if let Some(End::Unsealed { trailing_bytes }) = reader.end() {
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

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};
    use std::path::Path;

    use super::*;
    use crate::cli::journal::ended;
    use crate::cli::journal::testing::{failure, journal};
    use crate::domain::event::EventId;
    use crate::domain::tape::read_record;
    use crate::journal::samples::{self, samples};

    fn args(run: &Path) -> CatArgs {
        let (run, limit) = (run.into(), u64::MAX);
        CatArgs { run, from: 0, to: u64::MAX, kind: vec![], symbol: None, limit }
    }

    fn printed(args: &CatArgs) -> (String, String, Exit) {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let exit = cat(args, &mut out, &mut notes).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap(), exit)
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
        insta::assert_snapshot!(out, @"
        1         bar NSE_EQ|INE155A01022 2024-10-01T09:15 974.50 975.20 974.10 975.00 18342
        1.6<5     rejection NSE_EQ|INE155A01022 2024-10-01T15:10 entry-cutoff
        1.8<7     position NSE_EQ|INE155A01022 -102 cost=-99444.90 realized=0.00 cash=199399.7766
        1.9<8     halt 2024-10-01T13:07 daily-loss day_profit=-5001.00
        1.10<9    session-ended 2024-10-01 gross=-123.45 fees=90.2468 equity=99786.3032
        2         tick NSE_EQ|INE155A01022 2024-10-01T09:15:07 974.55 25 day_volume=18342
        3         watermark 2024-10-01T09:30
        4         command 2024-10-01T10:01 flatten
        8         run-ended 2024-10-01T15:30 completed
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
        assert_eq!(addresses(CatArgs { symbol, from: 2, ..all.clone() }), "2 5 6");
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
    fn an_early_end_is_noted_but_is_no_failure() {
        let dir = journal(false);
        let (out, notes, exit) = printed(&args(dir.path()));
        assert_eq!((out.lines().count(), exit), (19, Exit::Same));
        assert_eq!(
            notes,
            "note: the journal ends early, after 8 inputs; 0 bytes after its last commit are no \
             event\n"
        );
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
        let read: Vec<EventId> =
            out.lines().map(|line| read_record(line, &names).unwrap().id).collect();
        assert_eq!(read.len(), samples().len());
        assert!(read.is_sorted());
    }
}
