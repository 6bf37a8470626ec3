//! A recorded run as Parquet files and back, and what becomes of records of a later program.

use std::collections::BTreeSet;
use std::fs;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use lockstep::domain::event::EventId;
use lockstep::driver::verify::{Verdict, verify};
use lockstep::journal::segment::{self, RunId};
use lockstep::journal::{Identity, Reader};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::desk::Desk;
use crate::forge::{self, Forged};

/// A desk with a run of the sample in `runs/`, and the run's folder.
fn recorded() -> (Desk, String) {
    let desk = Desk::new();
    let ran = desk.run("replay --from 2024-10 --to 2024-10");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let run = fs::read_dir(desk.at("runs")).unwrap().next().unwrap().unwrap();
    let run = format!("runs/{}", run.file_name().into_string().unwrap());
    (desk, run)
}

#[test]
fn a_run_goes_out_to_parquet_and_comes_back_byte_for_byte() {
    let (desk, run) = recorded();
    let out = desk.run(&format!("journal export {run} --out kept/archive"));
    assert_eq!((out.code, out.stderr.as_str()), (0, ""));
    let back = desk.run("journal import kept/archive --out runs/back");
    assert_eq!((back.code, back.stderr.as_str()), (0, ""));
    let size = |text: &str| {
        let word = text.split(" · ").find(|part| part.ends_with(" MB\n") || part.contains(" MB\n"));
        word.unwrap().lines().next().unwrap().to_owned()
    };
    let said = out.stdout.clone() + &back.stdout;
    insta::assert_snapshot!(said.replace(&size(&out.stdout), "-.-- MB"));

    for [one, two] in same_length(&desk, [&run, "runs/back"]) {
        assert!(fs::read(one).unwrap() == fs::read(two).unwrap());
    }
    let differs = desk.run(&format!("diff {run} runs/back --only events"));
    assert_eq!(differs.code, 0, "{}", differs.stdout);
    assert_eq!(desk.run("verify runs/back").code, 0);
}

/// The segments of two runs, side by side.
fn same_length(desk: &Desk, runs: [&str; 2]) -> Vec<[std::path::PathBuf; 2]> {
    let of = |run| {
        segment::list(&lockstep::journal::Files, &desk.at(run))
            .unwrap()
            .into_iter()
            .map(|it| it.path)
    };
    let (one, two): (Vec<_>, Vec<_>) = (of(runs[0]).collect(), of(runs[1]).collect());
    assert_eq!(one.len(), two.len());
    one.into_iter().zip(two).map(|(one, two)| [one, two]).collect()
}

/// What somebody sees who opens the files with a tool of their own.
#[test]
fn people_find_words_keys_times_and_lines() {
    let (desk, run) = recorded();
    assert_eq!(desk.run(&format!("journal export {run} --out archive")).code, 0);
    let mut days: Vec<_> =
        fs::read_dir(desk.at("archive")).unwrap().map(|it| it.unwrap().path()).collect();
    days.sort();
    days.retain(|path| path.is_dir());
    let (first, last) = (days[0].file_name().unwrap(), days.last().unwrap().file_name().unwrap());
    assert_eq!((first.to_str(), last.to_str()), (Some("date=2024-08-30"), Some("date=2024-10-31")));
    let mut tape = String::new();
    let mut words = BTreeSet::new();
    for day in &days {
        let files: Vec<_> = fs::read_dir(day).unwrap().collect();
        assert_eq!(files.len(), 1, "a day is a file");
        let file = fs::File::open(files[0].as_ref().unwrap().path()).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        for batch in reader {
            lines(&batch.unwrap(), &mut tape, &mut words);
        }
    }
    assert!(tape == desk.run(&format!("journal cat {run}")).stdout, "the tape is that of cat");
    assert!(words.contains("fill NSE_EQ|INE155A01022"), "{words:?}");
    assert!(words.contains("watermark -"), "{words:?}");
}

fn lines(batch: &RecordBatch, tape: &mut String, words: &mut BTreeSet<String>) {
    let column = |name| batch.column_by_name(name).unwrap();
    let text = |name, row| {
        let column = column(name).as_string::<i32>();
        if column.is_valid(row) { column.value(row) } else { "-" }
    };
    let seq = column("seq").as_primitive::<arrow::datatypes::UInt64Type>();
    let index = column("index").as_primitive::<arrow::datatypes::UInt32Type>();
    let cause = column("cause").as_primitive::<arrow::datatypes::UInt32Type>();
    let time = column("time").as_primitive::<TimestampMicrosecondType>();
    for row in 0..batch.num_rows() {
        let id = EventId { seq: seq.value(row), index: index.value(row) };
        let address = match id.index {
            0 => id.to_string(),
            _ => format!("{id}<{}", cause.value(row)),
        };
        *tape += &format!("{address:<9} {}\n", text("tape", row));
        let word = text("word", row);
        words.insert(format!("{word} {}", text("instrument", row)));
        assert_eq!(time.is_null(row), word == "run-started");
    }
}

#[test]
fn an_archive_that_was_touched_is_refused_by_name() {
    let (desk, run) = recorded();
    assert_eq!(desk.run(&format!("journal export {run} --out archive")).code, 0);
    let folder = desk.at("archive/date=2024-10-09");
    let file = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    bytes[1_000] ^= 4;
    fs::write(&file, bytes).unwrap();
    let said = [
        desk.refuses(3, "journal import archive --out back"),
        desk.refuses(2, "journal import runs --out back"),
        desk.refuses(2, &format!("journal import archive --out {run}")),
        desk.refuses(2, &format!("journal export {run} --out archive")),
        desk.refuses(2, "journal export archive --out other"),
    ];
    insta::assert_snapshot!(said.join("\n").replace(&run, "runs/RUN"));
}

/// A small run with a record that only a later program knows: a new kind under an input, and a new
/// version of a known kind.
fn of_the_future(desk: &Desk, run: &str) -> Vec<Forged> {
    let mut records = forge::records(&desk.at(run), 40);
    let last = records.last().unwrap().id;
    let later = |kind, version, index, payload: &[u8]| Forged {
        kind,
        version,
        id: EventId { seq: last.seq, index: last.index + index },
        cause: 0,
        received_ns: 0,
        payload: payload.to_vec(),
    };
    records.push(later(0x0142, 1, 1, b"a kind of tomorrow"));
    records.push(later(0x0107, 9, 2, b"a fill with more fields"));
    let identity = Identity { run_id: RunId([7; 16]), salt_seed: 0, created_ns: 0 };
    forge::write(&desk.at("later"), identity, &records);
    records
}

#[test]
fn records_of_a_later_program_are_refused_by_whoever_believes_them() {
    let (desk, run) = recorded();
    let records = of_the_future(&desk, &run);
    let verified = verify(&mut Reader::open(&desk.at("later")).unwrap(), false, &mut |_| {});
    assert_ne!(verified.verdict(), Verdict::Identical);
    let verify = desk.run("verify later");
    assert_eq!(verify.code, 3, "{}", verify.stdout);
    let mut said = verify.stderr;

    let cat = desk.run("journal cat later");
    assert_eq!((cat.code, cat.stdout.lines().count()), (0, records.len() - 2));
    said += &cat.stderr;
    let stats = desk.run("journal stats later");
    assert_eq!(stats.code, 0);
    let counted = stats.stdout.lines().filter(|line| line.contains("kind "));
    said += &counted.map(|line| format!("{line}\n")).collect::<String>();

    // An archive keeps them, and a program that knows them may bring them back.
    assert_eq!(desk.run("journal export later --out archive").code, 0);
    said += &desk.refuses(3, "journal import archive --out back");
    insta::assert_snapshot!(said);
}
