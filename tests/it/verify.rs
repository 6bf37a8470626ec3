//! A recorded run proves itself: what was recorded is derived again, whoever touched it is found
//! out, and two runs are parted at the very event.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use lockstep::domain::event::{Derived, Event, EventId, Input, Output, Record};
use lockstep::domain::money::Qty;
use lockstep::domain::tape::{Names, read_event, write_event};
use lockstep::driver::case::Case;
use lockstep::driver::plan::DateRange;
use lockstep::driver::replay::Replay;
use lockstep::driver::verify::bisect::parting;
use lockstep::driver::verify::divergence::{Difference, Divergence};
use lockstep::driver::verify::{Verdict, Verified, verify};
use lockstep::journal::error::JournalError;
use lockstep::journal::reader::{End, Reader};
use lockstep::journal::writer::{Identity, Limits, Writer};
use lockstep::sources::market::Market;
use proptest::prelude::*;
use proptest::sample::Index;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tempfile::TempDir;

use crate::desk::{Desk, repository};
use crate::world::date;

/// A run with its journal and everything in it.
struct Recorded {
    dir: TempDir,
    records: Vec<Record>,
}

/// Two days of the sample after two of warm-up: signals, fills, a few thousand events.
fn two_days() -> &'static Recorded {
    static RUN: OnceLock<Recorded> = OnceLock::new();
    RUN.get_or_init(|| {
        let range = DateRange { first: date("2024-10-03"), last: date("2024-10-04") };
        let run = recorded(|request| (request.range, request.warmup_sessions) = (range, 2));
        let has = |wanted: fn(&Output) -> bool| {
            run.records.iter().any(|it| matches!(&it.event, Event::Output(it) if wanted(it)))
        };
        assert!(has(|output| matches!(output, Output::Signal(_))), "something is wanted");
        assert!(has(|output| matches!(output, Output::Fill(_))), "something is done");
        run
    })
}

fn recorded(change: impl FnOnce(&mut lockstep::driver::plan::Request)) -> Recorded {
    let case = Case::load(&repository().join("replays"), "sample").unwrap();
    let mut request = case.request();
    change(&mut request);
    let replay = Replay::prepare(&request, &Market::embedded().unwrap(), &case.data).unwrap();
    let dir = tempfile::tempdir().unwrap();
    replay.run(Some(dir.path()), 1, &mut []).unwrap();
    let records = Reader::open(dir.path()).unwrap().collect::<Result<_, _>>().unwrap();
    Recorded { dir, records }
}

/// Writes these records as a journal with checksums and a seal of its own.
fn written(records: &[Record], limits: Limits) -> Result<TempDir, JournalError> {
    let dir = tempfile::tempdir().unwrap();
    let Event::Input(Input::RunStarted(run)) = &records[0].event else { panic!("no run") };
    let mut writer = Writer::create_with(dir.path(), Identity::of_replay(run)?, limits)?;
    for Record { id, cause, received_ns, event } in records {
        match event {
            Event::Input(input) => writer.input(id.seq, *received_ns, input)?,
            Event::Output(output) => {
                let derived = Derived { cause: *cause, output: output.clone() };
                writer.output(id.seq, id.index, &derived)?;
            }
        }
    }
    writer.seal()?;
    Ok(dir)
}

fn verified(dir: &Path) -> Verified {
    verify(&mut Reader::open(dir).unwrap(), false, &mut |_| {})
}

fn names(records: &[Record]) -> Names {
    match &records[0].event {
        Event::Input(Input::RunStarted(run)) => Names::of(run),
        _ => panic!("no run"),
    }
}

/// The place of some output of that sort.
fn place_of(records: &[Record], wanted: fn(&Output) -> bool) -> usize {
    let is_it = |record: &Record| matches!(&record.event, Event::Output(it) if wanted(it));
    records.iter().position(is_it).expect("there is one")
}

/// Moves the outputs of a step behind `place` by one index, and what they name as cause with them.
fn renumber(records: &mut [Record], place: usize, by: i32) {
    let EventId { seq, index } = records[place].id;
    for record in records[place + 1..].iter_mut().take_while(|record| record.id.seq == seq) {
        record.id.index = record.id.index.strict_add_signed(by);
        if record.cause > index {
            record.cause = record.cause.strict_add_signed(by);
        }
        record.cause = record.cause.min(record.id.index - 1);
    }
}

#[test]
fn the_sample_verifies_and_so_does_every_second_core() {
    let run = recorded(|_| {});
    let mut inputs = 0;
    let mut reader = Reader::open(run.dir.path()).unwrap();
    let verified = verify(&mut reader, true, &mut |_| inputs += 1);
    assert_eq!(verified.verdict(), Verdict::Identical);
    assert_eq!(verified.inputs + verified.outputs, run.records.len() as u64);
    assert_eq!((verified.inputs, verified.unstable), (inputs, None));
    assert!(matches!(verified.end, Ok(End::Sealed(seal)) if Some(seal.digest) == verified.digest));
}

#[test]
fn a_lost_output_is_named() {
    let mut records = two_days().records.clone();
    let place = place_of(&records, |output| matches!(output, Output::Order(_)));
    let lost = records[place].id;
    renumber(&mut records, place, -1);
    records.remove(place);
    let found = verified(written(&records, Limits::default()).unwrap().path());
    assert_eq!(found.verdict(), Verdict::Differs);
    let found = found.divergence.expect("it differs");
    assert_eq!((found.id, found.kind, found.difference), (lost, "order", Difference::Missing));
    assert!(found.want.is_none() && found.got.is_some_and(|line| line.contains(" order ")));
}

#[test]
fn an_output_that_the_core_never_made_is_named() {
    let mut records = two_days().records.clone();
    let place = place_of(&records, |output| matches!(output, Output::Fill(_)));
    let mut forged = records[place].clone();
    renumber(&mut records, place, 1);
    forged.id.index += 1;
    let id = forged.id;
    if let Event::Output(Output::Fill(fill)) = &mut forged.event {
        fill.quantity = Qty(1);
    }
    records.insert(place + 1, forged);
    let found = verified(written(&records, Limits::default()).unwrap().path());
    let found = found.divergence.expect("it differs");
    assert_eq!((found.id, found.kind, found.difference), (id, "fill", Difference::Extra));
    let last_equal = found.last_equal.expect("the true fill is before it");
    assert!(last_equal.starts_with(&records[place].id.to_string()), "{last_equal}");
}

#[test]
fn an_input_that_was_changed_shows_in_what_follows_from_it() {
    let mut records = two_days().records.clone();
    let end = place_of(&records, |output| matches!(output, Output::Bar15m(_)));
    let place =
        records[..end].iter().rposition(|it| matches!(it.event, Event::Input(Input::Bar(_))));
    let place = place.expect("bars are made of minutes");
    if let Event::Input(Input::Bar(bar)) = &mut records[place].event {
        bar.volume = bar.volume.plus(Qty(1));
    }
    let changed = written(&records, Limits::default()).unwrap();
    let found = verified(changed.path()).divergence.expect("it differs");
    assert_eq!((found.kind, found.difference), ("bar-15m", Difference::Differs));
    assert_eq!(found.fields.len(), 1, "{:?}", found.fields);
    assert_eq!(found.fields[0].name, "volume");
    let parted = parting(two_days().dir.path(), changed.path()).unwrap();
    let parted = parted.divergence.expect("the inputs differ first");
    assert_eq!((parted.id, parted.kind), (records[place].id, "bar"));
    assert_eq!(parted.fields[0].name, "volume");
}

#[test]
fn a_run_of_an_older_core_is_compared_all_the_same() {
    let mut records = two_days().records.clone();
    if let Event::Input(Input::RunStarted(run)) = &mut records[0].event {
        run.core_version = 0;
        run.config.execution.slippage_ticks += 1;
    }
    let dir = written(&records, Limits::default()).unwrap();
    let found = verified(dir.path());
    assert_eq!((found.core_version, found.verdict()), (0, Verdict::Differs));
    // Two configurations over the same inputs: what is described otherwise is named, and does not
    // hide that all else is equal.
    let parted = parting(two_days().dir.path(), dir.path()).unwrap();
    let paths: Vec<&str> = parted.described.iter().map(|field| &*field.name).collect();
    assert_eq!(paths, ["config.execution.slippage_ticks", "core_version"]);
    assert_eq!((parted.divergence, parted.comparisons), (None, 1));
}

#[test]
fn a_stop_between_an_input_and_its_outputs_is_no_divergence_but_no_whole_run_either() {
    let records = &two_days().records;
    let place = place_of(records, |output| matches!(output, Output::Signal(_)));
    let seq = records[place].id.seq;
    let of_step = records.iter().filter(|it| it.id.seq == seq && it.id.index > 0).count();
    let first = place - (records[place].id.index as usize - 1);
    for kept in 0..of_step {
        let cut = &records[..first + kept];
        let dir = written(cut, Limits::default()).unwrap();
        let sealed = verified(dir.path());
        assert_eq!(sealed.verdict(), Verdict::Differs, "a seal says that this is all");
        let log = only_segment(dir.path());
        shorten(&log, 8);
        let open = verified(dir.path());
        assert_eq!(open.verdict(), Verdict::EndedEarly);
        assert_eq!((open.divergence, open.unfinished), (None, of_step - kept));
        assert_eq!(open.inputs + open.outputs, cut.len() as u64);
    }
}

fn only_segment(dir: &Path) -> PathBuf {
    let mut entries = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let path = entries.find(|path| path.extension().is_some_and(|it| it == "evl"));
    path.expect("a segment")
}

fn shorten(path: &Path, bytes: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

/// A short journal of many batches: its directory, its segment, the segment's bytes.
fn short() -> (TempDir, PathBuf, Vec<u8>) {
    let records = &two_days().records;
    // Up to the first strategy bars and a little beyond, so that there are outputs.
    let bars = place_of(records, |output| matches!(output, Output::Indicators(_)));
    let after = &records[bars + 1..];
    let place = bars + 1 + after.iter().position(|it| it.id.index == 0).expect("there is more");
    let mut records = records[..place + 40].to_vec();
    while records.last().is_some_and(|record| record.id.index > 0) {
        records.pop();
    }
    let limits = Limits { batch_records: 16, ..Limits::default() };
    let dir = written(&records, limits).unwrap();
    assert_eq!(verified(dir.path()).verdict(), Verdict::Identical);
    let log = only_segment(dir.path());
    let bytes = fs::read(&log).unwrap();
    (dir, log, bytes)
}

/// What becomes of the journal with these bytes: never a whole run that is identical.
fn never_identical(dir: &Path, log: &Path, bytes: &[u8], what: &str) -> Option<Verdict> {
    fs::write(log, bytes).unwrap();
    let verdict = match Reader::open(dir) {
        Ok(mut reader) => Some(verify(&mut reader, false, &mut |_| {}).verdict()),
        Err(_) => None,
    };
    assert_ne!(verdict, Some(Verdict::Identical), "{what}");
    verdict
}

#[test]
fn a_journal_that_is_cut_off_anywhere_is_never_taken_for_a_whole_one() {
    let (dir, log, bytes) = short();
    let mut early = 0;
    for len in (0..bytes.len()).step_by(8) {
        let verdict = never_identical(dir.path(), &log, &bytes[..len], &format!("{len} bytes"));
        early += usize::from(verdict == Some(Verdict::EndedEarly));
        assert_ne!(verdict, Some(Verdict::Differs), "{len} bytes: what is left is true");
    }
    assert!(early > 100, "most cuts leave whole batches: {early}");
}

#[test]
fn flipped_bits_and_spliced_bytes_are_never_taken_for_the_run() {
    let (dir, log, bytes) = short();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut below = |limit: usize| (random.next_u64() % limit as u64) as usize;
    for _ in 0..1_500 {
        let mut damaged = bytes.clone();
        let (byte, bit) = (below(bytes.len()), below(8));
        damaged[byte] ^= 1 << bit;
        never_identical(dir.path(), &log, &damaged, &format!("bit {bit} of byte {byte}"));
    }
    for _ in 0..300 {
        let (from, to, len) = (below(bytes.len()), below(bytes.len()), 8 * (1 + below(200)));
        let piece = bytes[from..(from + len).min(bytes.len())].to_vec();
        let mut spliced = bytes.clone();
        spliced.splice(to..(to + piece.len()).min(bytes.len()), piece);
        if spliced != bytes {
            never_identical(dir.path(), &log, &spliced, &format!("{len} from {from} at {to}"));
        }
    }
}

/// One digit of one word of a record, changed: an event that differs in exactly one field.
fn perturbed(record: &Record, names: &Names, word: Index, digit: Index, by: u8) -> Option<Record> {
    let line = write_event(&record.event, names);
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    if words.len() < 2 {
        return None;
    }
    let word = 1 + word.index(words.len() - 1);
    let is_digit = |place: &usize| words[word].as_bytes()[*place].is_ascii_digit();
    let digits: Vec<usize> = (0..words[word].len()).filter(is_digit).collect();
    let place = *digits.get(digit.index(digits.len().max(1)))?;
    let old = words[word].as_bytes()[place] - b'0';
    words[word].replace_range(place..=place, &((old + by) % 10).to_string());
    let event = read_event(&words.join(" "), names).ok()?;
    (event != record.event).then(|| Record { event, ..record.clone() })
}

/// That the divergence is this record and one field of it.
fn is_exactly(found: &Divergence, changed: &Record) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.id, changed.id);
    prop_assert_eq!(found.difference, Difference::Differs);
    prop_assert_eq!(found.fields.len(), 1, "{:?}", found.fields);
    prop_assert!(found.last_equal.is_some());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100, max_global_rejects: 10_000, ..ProptestConfig::default()
    })]

    /// Inputs are many and outputs are few, so each is asked for by itself.
    #[test]
    fn a_changed_field_is_located_exactly(
        is_output in any::<bool>(), record in any::<Index>(), word in any::<Index>(),
        digit in any::<Index>(), by in 1..10_u8,
    ) {
        let run = two_days();
        let of_sort = |record: &&Record| (record.id.index > 0) == is_output && record.id.seq > 0;
        let eligible: Vec<&Record> = run.records.iter().filter(of_sort).collect();
        let record = *record.get(&eligible);
        let changed = perturbed(record, &names(&run.records), word, digit, by);
        prop_assume!(changed.is_some());
        let changed = changed.expect("it was assumed");
        let mut records = run.records.clone();
        let place = records.iter().position(|it| it.id == changed.id).expect("it is of the run");
        records[place] = changed.clone();
        // Some changes make what no market prints; the writer refuses them.
        let tampered = written(&records, Limits::default());
        prop_assume!(tampered.is_ok());
        let tampered = tampered.expect("it was assumed");

        let parted = parting(run.dir.path(), tampered.path()).unwrap();
        prop_assert!(parted.comparisons <= parted.comparisons_max());
        is_exactly(&parted.divergence.expect("they differ"), &changed)?;

        let found = verified(tampered.path());
        match found.divergence {
            Some(found) if is_output => is_exactly(&found, &changed)?,
            None if is_output => prop_assert!(false, "an output was changed"),
            // An input is the truth: only what follows from it can differ.
            Some(found) => prop_assert!(found.id >= changed.id),
            None => prop_assert_eq!(found.verdict(), Verdict::Identical),
        }
    }
}

/// A result without what is measured, and without hashes and sizes, which go with the market's
/// facts and the layout of frames.
fn redacted(text: &str) -> String {
    let is_id = |word: &str| word.len() == 12 && word.bytes().all(|it| it.is_ascii_hexdigit());
    let word = |word: &str| match word {
        env!("CARGO_PKG_VERSION") => "[version]".to_owned(),
        word if is_id(word) => "[id]".to_owned(),
        word => word.to_owned(),
    };
    let line = |line: &str| {
        let measured = |part: &&str| {
            let units = [" s", " MB", " events/s", " batches"];
            !units.iter().any(|unit| part.ends_with(unit))
        };
        let kept = line.split(" · ").filter(measured).collect::<Vec<_>>().join(" · ");
        kept.split(' ').map(word).collect::<Vec<_>>().join(" ")
    };
    // A fact may take more than one line.
    let text = text.replace(" ·\n            ", " · ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The same without any number.
fn uncounted(text: &str) -> String {
    let mut uncounted = String::new();
    for c in redacted(text).chars() {
        match c {
            '0'..='9' | ',' if uncounted.ends_with('N') => {}
            '0'..='9' => uncounted.push('N'),
            _ => uncounted.push(c),
        }
    }
    uncounted
}

/// A desk with the run of two days as `run` the same with another price in a fill as `forged`,
/// and that under an older core as `old`.
fn desk() -> Desk {
    let desk = Desk::empty();
    let limits = Limits::default();
    let mut records = two_days().records.clone();
    let place_in_order = |name: &str, records: &[Record]| {
        let dir = written(records, limits).unwrap();
        fs::create_dir_all(desk.at(name).join("log")).unwrap();
        let log = only_segment(dir.path());
        fs::copy(&log, desk.at(name).join("log").join(log.file_name().unwrap())).unwrap();
    };
    place_in_order("run", &records);
    let place = place_of(&records, |output| matches!(output, Output::Fill(_)));
    if let Event::Output(Output::Fill(fill)) = &mut records[place].event {
        fill.price.0 += 500;
    }
    place_in_order("forged", &records);
    if let Event::Input(Input::RunStarted(run)) = &mut records[0].event {
        (run.core_version, run.build) = (0, "lockstep 0.0.9".to_owned());
    }
    place_in_order("old", &records);
    desk
}

#[test]
fn verify_says_what_was_recorded_and_what_is_derived() {
    let desk = desk();
    let ran = desk.run("verify run --twice");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(redacted(&ran.stdout), @"
    Journal  run · run [id] · segments 1 · sealed
    Core     core 2 · recorded by lockstep [version]
    Events   3,548 · inputs 3,109 · outputs 439
    Digest   all events [id] · as sealed
    Twice    a second core made the same
    Verdict  identical · 439/439 outputs
    ");
    let ran = desk.run("verify forged");
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(redacted(&ran.stdout), @"
       Journal  forged · run [id] · segments 1 · sealed
       Core     core 2 · recorded by lockstep [version]
       Events   3,548 · inputs 3,109 · outputs 439
       Digest   all events [id] · as sealed
       Verdict  DIFFERS · first at 2053.1, price of fill · outputs of 1 of 3,109 inputs

    error: a recorded output is not what the core derives
      --> forged, event 2053.1 (fill)
       |
       | recorded  2053.1<0  fill NSE_EQ|INE118H01025 2024-10-03T13:15 SELL 38 4376.05 entry fee=71.3623 order=2052.4 origin=2024-10-03T13:00/SELL/TREND
       | derived   2053.1<0  fill NSE_EQ|INE118H01025 2024-10-03T13:15 SELL 38 4376.00 entry fee=71.3623 order=2052.4 origin=2024-10-03T13:00/SELL/TREND
       |
       = price: recorded 4376.05, derived 4376.00
       = last equal event: 2053      bar NSE_EQ|INE118H01025 2024-10-03T13:15 4376.05 4377.75 4374.20 4374.20 1261
      help: `lockstep journal cat forged --from 2052 --to 2053` shows what was recorded
    ");
    let json = desk.run("verify forged --format json").json(1);
    assert_eq!(json["divergence"]["fields"][0]["field"], "price");
    assert_eq!(json["divergence"]["difference"], "differs");
    assert_eq!(json["inputs_differing"], 1);
    let ran = desk.run("verify old");
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.stdout.lines().nth(1).unwrap_or_default(), @"   Core     recorded by core 0 (lockstep 0.0.9), this is core 2: differences are to be expected");
}

#[test]
fn verify_never_says_0_of_a_journal_that_is_not_whole() {
    let desk = desk();
    let log = only_segment(&desk.at("run"));
    shorten(&log, 1_000);
    let ran = desk.run("verify run");
    assert_eq!(ran.code, 3);
    insta::assert_snapshot!(uncounted(&ran.stdout), @"
    Journal  run · run [id] · segments N · ENDED EARLY, N bytes after the last commit
    Core     core N · recorded by lockstep [version]
    Events   N · inputs N · outputs N
    Digest   all events [id] · no seal to hold it against
    Verdict  ENDED EARLY · identical as far as it goes · N/N outputs
    ");
    insta::assert_snapshot!(uncounted(&ran.stderr), @"
    error: ended early: N events, no seal
      --> run
       = nothing says that these are all that there were
      help: a run that is still being written looks like that; wait for its end
      help: a replay that was broken off can be repeated
    ");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let ran = desk.run("verify run --format json");
    assert_eq!(ran.code, 3);
    insta::assert_snapshot!(uncounted(&ran.stderr), @"
    error: the journal is damaged
      --> run/log/N-N.evl, byte N
       = the checksum does not match
       = inputs before N are not affected
      help: repeat the run, or restore the file; nothing was changed
    ");
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["exit"], &json["sealed"]), (&3.into(), &false.into()));
    assert!(json["damage"].as_str().is_some_and(|damage| damage.contains("checksum")), "{json}");
}

#[test]
fn diff_of_events_parts_two_runs_at_the_event() {
    let desk = desk();
    let ran = desk.run("diff run forged --only events");
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(ran.stdout, @"
    error: B differs from A
      --> run, event 2053.1 (fill)
       |
       | A  2053.1<0  fill NSE_EQ|INE118H01025 2024-10-03T13:15 SELL 38 4376.00 entry fee=71.3623 order=2052.4 origin=2024-10-03T13:00/SELL/TREND
       | B  2053.1<0  fill NSE_EQ|INE118H01025 2024-10-03T13:15 SELL 38 4376.05 entry fee=71.3623 order=2052.4 origin=2024-10-03T13:00/SELL/TREND
       |
       = price: A 4376.00, B 4376.05
       = last equal event: 2053      bar NSE_EQ|INE118H01025 2024-10-03T13:15 4376.05 4377.75 4374.20 4374.20 1261
       = 3 of at most 3 comparisons of digests, over 4 blocks of 1,024 inputs
       = events: A 3,548, B 3,548
      help: `lockstep journal cat run --from 2052 --to 2053` shows the events of A
    ");
    let ran = desk.run("diff run forged --only events --format csv");
    insta::assert_snapshot!(ran.stdout, @"
    event,kind,difference,field,a,b
    2053.1,fill,differs,price,4376.00,4376.05
    ");
    let json = desk.run("diff run forged --only events --format json").json(1);
    let last_equal = json["divergence"]["last_equal"].as_str().unwrap_or_default();
    assert!(last_equal.contains(" bar "), "{last_equal}");
    let ran = desk.run("diff forged old --only events");
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.stdout.replace(env!("CARGO_PKG_VERSION"), "[version]"), @r#"
    error: B is described otherwise than A
      --> forged, event 0 (run-started)
       = all 3,547 events after it are equal
       = the runs are described differently:
       = build: A "lockstep [version]", B "lockstep 0.0.9"
       = core_version: A 2, B 0
       = 1 of at most 3 comparisons of digests, over 4 blocks of 1,024 inputs
       = events: A 3,548, B 3,548
    "#);
    fs::create_dir_all(desk.at("copy/log")).unwrap();
    let log = only_segment(&desk.at("run"));
    fs::copy(&log, desk.at("copy/log").join(log.file_name().unwrap())).unwrap();
    let ran = desk.run("diff run copy --only events");
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(redacted(&ran.stdout), @"
    B equals A: 3,548 events · digest [id]
       = 1 of at most 3 comparisons of digests, over 4 blocks of 1,024 inputs
       = events: A 3,548, B 3,548
    ");
    fs::create_dir(desk.at("nothing")).unwrap();
    insta::assert_snapshot!(desk.refuses(2, "diff run nothing --only events"), @"
    error: there are no events to compare
      --> nothing
       = it is no run that kept its journal (log/*.evl)
      help: without --only events a golden can be compared too
    ");
}
