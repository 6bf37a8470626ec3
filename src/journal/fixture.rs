//! A small journal with an event of each kind, built from [`samples`](super::samples): what tests
//! look into, and, committed under `tests/fixtures/journal_v3`, the journal of the first released
//! format, which must open for ever.
//!
//! Until that release the format may still move, and the fixture with it: `cargo xtask fixture`
//! writes it anew, never in CI. Afterwards it is not touched any more: a new format gets a folder
//! of its own beside it, and `the_first_format_opens_for_ever` one more.

use std::path::Path;

use crate::domain::event::{Derived, Event, EventId, Input, Output, Record};

use super::samples::{self, samples};
use super::{Identity, Limits, Writer};

/// One input of each kind, and all outputs under the first bar, each caused by the one before it.
pub fn records() -> Vec<Record> {
    let outputs: Vec<Output> = samples()
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::Output(output) => Some(output),
            Event::Input(_) => None,
        })
        .collect();
    let mut records = Vec::new();
    let inputs = samples().into_iter().filter(|(_, event)| matches!(event, Event::Input(_)));
    for (seq, (_, event)) in (0..).zip(inputs) {
        let is_bar = matches!(event, Event::Input(Input::Bar(_)));
        records.push(Record {
            id: EventId::input(seq),
            cause: 0,
            received_ns: received(seq),
            event,
        });
        for (index, output) in (1..).zip(outputs.iter().filter(|_| is_bar)) {
            let (id, event) = (EventId { seq, index }, Event::Output(output.clone()));
            records.push(Record { id, cause: index - 1, received_ns: 0, event });
        }
    }
    records
}

/// When the fixture's input of that number was received, ns.
pub const fn received(seq: u64) -> i64 {
    1_727_754_300_000_000_000 + 1_000_000_007 * seq as i64
}

/// Writes [`records`] as a journal in `run_dir`.
pub fn write(run_dir: &Path, limits: Limits, seal: bool) {
    let identity = Identity::of_replay(&samples::run()).unwrap();
    let mut writer = Writer::create_with(run_dir, identity, limits).unwrap();
    for Record { id, cause, received_ns, event } in records() {
        match event {
            Event::Input(input) => writer.input(id.seq, received_ns, &input).unwrap(),
            Event::Output(output) => {
                writer.output(id.seq, id.index, &Derived { cause, output }).unwrap();
            }
        }
    }
    if seal {
        writer.seal().unwrap();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::env;
    use std::fs;
    use std::path::PathBuf;
    use std::sync::OnceLock;

    use super::*;
    use crate::domain::tape::{Names, write_record};
    use crate::journal::buffer::Buffer;
    use crate::journal::record::{Kind, REGISTRY, Schema};
    use crate::journal::segment::{self, HEADER_BYTES, Header};
    use crate::journal::{End, Files, Reader, codec, frame};

    /// Small enough for several batches in each of several segments.
    const LIMITS: Limits = Limits { batch_records: 1, batch_bytes: 512, segment_bytes: 5_400 };
    /// The variable that has the fixture written anew.
    const WRITE: &str = "LOCKSTEP_WRITE_FIXTURE";
    /// Records of the first format's fixture.
    const RECORDS: usize = 20;

    /// The committed fixture, written anew first if that is asked for.
    fn committed() -> PathBuf {
        static WRITTEN: OnceLock<()> = OnceLock::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal_v3");
        WRITTEN.get_or_init(|| {
            if env::var_os(WRITE).is_some() {
                assert!(env::var_os("CI").is_none(), "CI only checks the fixture");
                let _ = fs::remove_dir_all(&folder);
                write_fixture(&folder);
                write_seeds();
                write_frame_seeds(&folder);
            }
        });
        folder
    }

    fn write_fixture(folder: &Path) {
        write(folder, LIMITS, true);
        let digest = Reader::open(folder).map(|mut reader| {
            while reader.next_raw().unwrap().is_some() {}
            reader.digest()
        });
        fs::write(folder.join("digest"), format!("{}\n", digest.unwrap())).unwrap();
        fs::write(folder.join("tape.txt"), tape(&records())).unwrap();
    }

    /// What the fuzz targets for payloads and tapes begin with, and the pinned registry.
    fn write_seeds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let seeds = root.join("fuzz/seeds");
        for (place, (kind, event)) in (0_u8..).zip(samples()) {
            let mut payload = Buffer::default();
            match &event {
                Event::Input(input) => codec::encode_input(input, &mut payload).unwrap(),
                Event::Output(output) => codec::encode_output(output, &mut payload).unwrap(),
            }
            let bytes = [&[place], payload.as_slice()].concat();
            fs::write(seeds.join(format!("payload/kind-{:04x}", kind.number())), bytes).unwrap();
        }
        let tape = tape(&records());
        let (run, events) = tape.split_once('\n').unwrap();
        fs::write(seeds.join("tape/run-started"), run).unwrap();
        fs::write(seeds.join("tape/events"), events).unwrap();
        let rows: String = REGISTRY.iter().map(Schema::line).collect();
        fs::write(root.join("tests/fixtures/registry.txt"), rows).unwrap();
    }

    /// What the fuzz targets for headers and frames begin with. Of frames a few kinds are enough,
    /// those whose seed is there already.
    fn write_frame_seeds(folder: &Path) {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        for segment in segment::list(&Files, folder).unwrap() {
            let bytes = fs::read(&segment.path).unwrap();
            let (block, mut rest) = bytes.split_at(HEADER_BYTES);
            let last = block[..HEADER_BYTES - 4].iter().rposition(|byte| *byte != 0).unwrap();
            let name = format!("header/segment-{}", segment.segment_no);
            fs::write(seeds.join(name), &block[..=last]).unwrap();
            let seed = frame::seed_of(Header::decode(block, &segment.path).unwrap().salt);
            while !rest.is_empty() {
                let frame = frame::parse(rest, seed).unwrap();
                let path = seeds.join(format!("frame/kind-{:04x}", frame.head.kind));
                if path.exists() {
                    fs::write(path, [&seed.to_le_bytes(), &rest[..frame.len]].concat()).unwrap();
                }
                rest = &rest[frame.len..];
            }
        }
    }

    fn tape(records: &[Record]) -> String {
        let Event::Input(Input::RunStarted(run)) = &records[0].event else { panic!("no run") };
        let names = Names::of(run);
        records.iter().map(|record| write_record(record, &names) + "\n").collect()
    }

    fn text(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn the_first_format_opens_for_ever() {
        let folder = committed();
        let mut reader = Reader::open(&folder).unwrap();
        let records: Vec<Record> = reader.by_ref().map(Result::unwrap).collect();
        assert_eq!(records.len(), RECORDS);
        assert_eq!(tape(&records), text(&folder, "tape.txt"));
        assert_eq!(format!("{}\n", reader.digest()), text(&folder, "digest"));
        assert!(matches!(reader.end(), Some(End::Sealed(_))));
        assert!(reader.segments().len() > 1 && reader.batches() > 2);
        for record in records {
            let is_input = record.id.index == 0;
            let received_ns = if is_input { received(record.id.seq) } else { 0 };
            assert_eq!(record.received_ns, received_ns, "{}", record.id);
        }
        let mut kinds = BTreeSet::new();
        let mut reader = Reader::open(&folder).unwrap();
        while let Some(raw) = reader.next_raw().unwrap() {
            kinds.insert((raw.kind, raw.version));
        }
        assert_eq!(kinds.len(), RECORDS, "one of each kind");
        assert!(kinds.iter().all(|(kind, version)| Kind::known(*kind, *version).is_some()));
    }

    #[test]
    fn todays_program_writes_the_first_format() {
        let folder = committed();
        let today = tempfile::tempdir().unwrap();
        write_fixture(today.path());
        let names = |folder: &Path| -> BTreeSet<_> {
            let files = fs::read_dir(folder.join("log")).unwrap().map(Result::unwrap);
            files.map(|file| Path::new("log").join(file.file_name())).collect()
        };
        let mut both = &names(&folder) | &names(today.path());
        both.extend(["digest", "tape.txt"].map(PathBuf::from));
        for name in both {
            let [committed, written] = [folder.as_path(), today.path()]
                .map(|folder| fs::read(folder.join(&name)).unwrap_or_default());
            assert!(
                committed == written,
                "{} is not what this program writes. If the format was not released yet, \
                 `cargo xtask fixture` writes it anew; if it was, the new format needs a version \
                 and a fixture of its own",
                name.display()
            );
        }
    }
}
