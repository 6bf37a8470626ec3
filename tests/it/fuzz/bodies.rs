//! What is fuzzed: one function per door through which bytes of others come in. Each takes any
//! bytes, panics where a law is broken, and says whether the bytes were accepted. Tests feed them
//! with seeds and changed seeds; libFuzzer, through `fuzz/`, with whatever it thinks of.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use lockstep::domain::event::{Event, Input, Record, RunStarted};
use lockstep::domain::money::{PRICE_MAX, Price, QTY_MAX, Qty};
use lockstep::domain::tape::{Names, read_record, write_record};
use lockstep::domain::time::{Date, SECOND_US, Timestamp};
use lockstep::driver::case::Case;
use lockstep::driver::plan::{DateRange, Plan, Request as RunRequest};
use lockstep::exchange::recording::Recording;
use lockstep::journal::checkpoint::Checkpoint;
use lockstep::journal::error::Damage;
use lockstep::journal::frame::{
    self, Commit, FRAME_MAX, FRAME_MIN, Head, KIND_MAX, NoFrame, Seal, VERSION_MAX,
};
use lockstep::journal::mark::{Mark, SLOT_BYTES};
use lockstep::journal::record::REGISTRY;
use lockstep::journal::segment::{self, HEADER_BYTES, Header, RunId};
use lockstep::journal::{Buffer, End, Reader, codec};
use lockstep::sources::feed::clock::Pace;
use lockstep::sources::feed::{Feed, Settings, Told};
use lockstep::sources::import::{ColumnNames, NaiveClock, Request, import};
use lockstep::sources::market::Market;
use lockstep::sources::store::Store;
use lockstep::sources::upstox::candles::Candles;
use lockstep::sources::upstox::frame::decode;
use lockstep::sources::upstox::message;
use lockstep::sources::upstox::raw as raw_file;
use lockstep::sources::upstox::socket::{Down, Heard};
use lockstep::sources::upstox::value::{Minute, is_name};
use tempfile::TempDir;

/// A door: its name, and what is done with the bytes.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// Every door.
pub const TARGETS: [Target; 14] = [
    ("frame", frame),
    ("payload", payload),
    ("header", header),
    ("mark", mark),
    ("checkpoint", checkpoint),
    ("reader", reader),
    ("tape", tape),
    ("csv", csv),
    ("case", case),
    ("feed", feed),
    ("candles", candles),
    ("complaint", complaint),
    ("raw", raw),
    ("judge", judge),
];

/// The repository, seen from its own package and from `fuzz/`.
pub fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    match package.ends_with("fuzz") {
        true => package.parent().expect("fuzz/ lies in the repository"),
        false => package,
    }
}

/// The `N` bytes at the start of `data`, zeros where there are fewer, and the rest.
fn take<const N: usize>(data: &[u8]) -> ([u8; N], &[u8]) {
    let (head, rest) = data.split_at(data.len().min(N));
    let mut bytes = [0; N];
    bytes[..head.len()].copy_from_slice(head);
    (bytes, rest)
}

/// A frame as it stands on disk, after the seed of its checksum. Bytes without a right checksum
/// only ever see the first checks, so the same bytes are also closed as a frame of their own.
pub fn frame(data: &[u8]) -> bool {
    let (seed, bytes) = take(data);
    let seed = u32::from_le_bytes(seed);
    let accepted = match frame::parse(bytes, seed) {
        Ok(read) => {
            let mut again = vec![0xFF; read.len];
            assert_eq!(frame::put(&mut again, read.head, read.payload, seed), read.len);
            assert_eq!(again, bytes[..read.len], "one frame, one form");
            true
        }
        Err(NoFrame::Needs(len)) => {
            assert!(len > bytes.len() && len <= FRAME_MAX);
            false
        }
        Err(NoFrame::Bad(_)) => false,
    };
    let (head, payload) = take::<16>(bytes);
    let head = Head {
        kind: (u16::from_le_bytes([head[0], head[1]]) & KIND_MAX).max(1),
        version: u16::from_le_bytes([head[2], head[3]]) & VERSION_MAX,
        seq: u32::from_le_bytes(take(&head[4..]).0) >> 8,
        extra: take(&head[8..]).0,
    };
    let payload = &payload[..payload.len().min(codec::PAYLOAD_MAX)];
    let mut closed = vec![0; head.frame_bytes(payload.len())];
    frame::put(&mut closed, head, payload, seed);
    let read = frame::parse(&closed, seed).expect("what was closed is a frame");
    assert_eq!((read.head, read.payload), (head, payload));
    let number = u64::from_le_bytes(head.extra);
    if let Some(commit) = Commit::read(&read) {
        assert_eq!(commit.frame(head.seq.into(), number, seed), closed);
    }
    if let Some(seal) = Seal::read(&read) {
        assert_eq!(seal.frame(head.seq.into(), number, seed), closed);
    }
    accepted
}

/// A slot of the durable mark, zeros where there are fewer bytes. What is a mark has one form; with
/// its checksum mended, so has every other.
pub fn mark(data: &[u8]) -> bool {
    let (slot, _) = take::<SLOT_BYTES>(data);
    let run_id = RunId(take(&slot[16..]).0);
    let accepted = Mark::decode(&slot, run_id);
    if let Some((generation, mark)) = accepted {
        assert_eq!(mark.encode(generation, run_id), slot, "one mark, one form");
    }
    let mut mended = slot;
    let crc = crc32c::crc32c(&mended[8..]);
    mended[4..8].copy_from_slice(&crc.to_le_bytes());
    if let Some((generation, mark)) = Mark::decode(&mended, run_id) {
        let again = mark.encode(generation, run_id);
        assert_eq!(Mark::decode(&again, run_id), Some((generation, mark)));
    }
    assert!(!mended.starts_with(b"EVWM") || Mark::decode(&mended, run_id).is_some());
    accepted.is_some()
}

/// A checkpoint's file. What is one has one form, but for bytes that nothing reads; with its hash
/// mended it is one or is refused with a word.
pub fn checkpoint(data: &[u8]) -> bool {
    let accepted = Checkpoint::decode(data);
    let mut mended = data[..data.len().saturating_sub(32)].to_vec();
    let hash = blake3::hash(&mended);
    mended.extend_from_slice(hash.as_bytes());
    for checkpoint in [&accepted, &Checkpoint::decode(&mended)].into_iter().flatten() {
        assert_eq!(Checkpoint::decode(&checkpoint.encode()).as_ref(), Ok(checkpoint));
        // Whatever the state is: it is a core's or it is none.
        let _ = lockstep::driver::state::decode(&checkpoint.state);
    }
    accepted.is_ok()
}

/// A payload, after the place of its kind in the registry. What is an event has one form as bytes
/// and goes through text without a change.
pub fn payload(data: &[u8]) -> bool {
    let ([place], bytes) = take(data);
    let kind = REGISTRY[usize::from(place) % REGISTRY.len()].kind;
    let mut scratch = Buffer::default();
    let Ok(event) = codec::decode(kind, bytes, &mut scratch) else { return false };
    let mut again = Buffer::default();
    let encoded = match &event {
        Event::Input(input) => codec::encode_input(input, &mut again),
        Event::Output(output) => codec::encode_output(output, &mut again),
    };
    assert_eq!(encoded, Ok(()));
    assert_eq!(again.as_slice(), bytes, "one event, one form");
    let id = match &event {
        Event::Input(_) => "0",
        Event::Output(_) => "0.1",
    };
    let id = lockstep::domain::event::EventId::parse(id).expect("an address");
    let record = Record { id, cause: 0, received_ns: 0, event };
    let line = write_record(&record, &Names::default());
    assert!(!line.contains('\n'), "one event, one line");
    // Text has no years of more than four digits, so some events cannot be read again.
    if let Ok(read) = read_record(&line, &Names::default()) {
        assert_eq!(read, record, "{line}");
    }
    true
}

/// A segment's header, with a right checksum.
pub fn header(data: &[u8]) -> bool {
    let mut block = data[..data.len().min(HEADER_BYTES)].to_vec();
    let _ = Header::decode(&block, Path::new("short or unchecked"));
    block.resize(HEADER_BYTES, 0);
    mend_header(&mut block);
    let Ok(header) = Header::decode(&block, Path::new("x")) else { return false };
    let again = Header::decode(&header.encode(), Path::new("x")).expect("what it says is written");
    assert_eq!(again, header);
    true
}

fn mend_header(block: &mut [u8]) {
    let end = HEADER_BYTES - 4;
    let crc = crc32c::crc32c(&block[..end]);
    block[end..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// A folder of its own for each door, used by one at a time.
fn scratch() -> PathBuf {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| tempfile::tempdir().expect("a temporary directory"));
    dir.path().to_path_buf()
}

/// The committed fixture: names and bytes of its segments, and its records.
struct Fixture {
    segments: Vec<(PathBuf, Vec<u8>)>,
    records: Vec<Record>,
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let folder = repository().join("tests/fixtures/journal_v3");
        let segments =
            segment::list(&lockstep::journal::Files, &folder).expect("the fixture is committed");
        let segments = segments.into_iter().map(|file| {
            let name = PathBuf::from(file.path.file_name().expect("a file's name"));
            (name, fs::read(&file.path).expect("a segment"))
        });
        let records = Reader::open(&folder).expect("the fixture opens");
        let records = records.map(|record| record.expect("a record")).collect();
        Fixture { segments: segments.collect(), records }
    })
}

/// A journal that somebody changed. The bytes are a script: first whether checksums are mended
/// after the changes, then changes of six bytes and more each (see [`change`]). Whatever is done,
/// the records that are read are the first ones of the journal as it was, and only all of them can
/// be sealed. Times of receipt have no more than the checksum to protect them.
pub fn reader(data: &[u8]) -> bool {
    static LOCK: Mutex<()> = Mutex::new(());
    let _alone = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let Fixture { segments, records } = fixture();
    let ([mends], mut script) = take(data);
    let mut files: Vec<Vec<u8>> = segments.iter().map(|(_, bytes)| bytes.clone()).collect();
    while !script.is_empty() {
        script = change(&mut files, script);
    }
    let mends = mends % 2 == 1;
    if mends {
        files.iter_mut().for_each(|file| mend(file));
    }
    let log = scratch().join("reader");
    fs::create_dir_all(&log).expect("a folder");
    for ((name, _), bytes) in segments.iter().zip(&files) {
        // An empty file stands for one that is gone.
        let path = log.join(name);
        let _ = fs::remove_file(&path);
        if !bytes.is_empty() {
            fs::write(path, bytes).expect("a segment");
        }
    }
    let Ok(mut reader) = Reader::open(&log) else { return false };
    let mut count = 0;
    while let Ok(Some(read)) = reader.next_record() {
        let mut wanted = records.get(count).expect("no record is invented").clone();
        if mends {
            wanted.received_ns = read.received_ns;
        }
        assert_eq!(read, wanted);
        count += 1;
    }
    if let Some(End::Sealed(seal)) = reader.end() {
        assert_eq!((count, seal.records), (records.len(), count as u64), "all or no seal");
    }
    assert!(matches!(reader.next_record(), Ok(None)), "nothing follows the end or an error");
    count == records.len()
}

/// One change: which segment, what, where (two bytes), how long, with what.
fn change<'a>(files: &mut [Vec<u8>], script: &'a [u8]) -> &'a [u8] {
    let ([segment, what, low, high, length], rest) = take(script);
    let segment = usize::from(segment) % files.len();
    let (next, from) = ((segment + 1) % files.len(), usize::from(u16::from_le_bytes([low, high])));
    let other = files[next].clone();
    let file = &mut files[segment];
    let start = from.min(file.len());
    let end = (start + usize::from(length)).min(file.len());
    let (given, rest) = rest.split_at(rest.len().min(usize::from(length % 16)));
    match what % 8 {
        0 => {
            let room = &mut file[start..];
            let length = given.len().min(room.len());
            room[..length].copy_from_slice(&given[..length]);
        }
        1 => {
            if let Some(byte) = file.get_mut(start) {
                *byte ^= 1 << (length % 8);
            }
        }
        2 => file.truncate(start),
        3 => drop(file.splice(start..start, given.iter().copied())),
        4 => drop(file.drain(start..end)),
        5 => file[start..end].fill(0),
        // A stretch of the next segment in the place of this one's.
        6 => {
            let end = (start + 8 * usize::from(length)).min(file.len()).min(other.len());
            if let Some(taken) = other.get(start..end) {
                file[start..end].copy_from_slice(taken);
            }
        }
        _ => file.extend_from_slice(given),
    }
    rest
}

/// Gives the header and every whole frame of a segment a right checksum.
fn mend(file: &mut [u8]) {
    if file.len() < HEADER_BYTES {
        return;
    }
    mend_header(file);
    let Ok(header) = Header::decode(&file[..HEADER_BYTES], Path::new("x")) else { return };
    let seed = frame::seed_of(header.salt);
    let mut place = HEADER_BYTES;
    while let Some(rest) = file.get_mut(place..).filter(|rest| rest.len() >= FRAME_MIN) {
        match frame::parse(rest, seed) {
            Ok(read) => place += read.len,
            Err(NoFrame::Bad(Damage::Checksum)) => {
                let whole = rest.to_vec();
                let read = frame::trusted(&whole);
                if read.head.frame_bytes(read.payload.len()) != read.len {
                    return;
                }
                place += frame::put(rest, read.head, read.payload, seed);
            }
            Err(_) => return,
        }
    }
}

/// Lines of tape. What was read is written, and what was written is read as the same.
pub fn tape(data: &[u8]) -> bool {
    let names = Names::new(["NSE_EQ|INE155A01022", "NSE_EQ|INE118H01025"]);
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let mut accepted = false;
    for line in text.lines() {
        let Ok(record) = read_record(line, &names) else { continue };
        accepted = true;
        let written = write_record(&record, &names);
        let again =
            read_record(&written, &names).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(write_record(&again, &names), written);
    }
    accepted
}

/// A file of minute bars. What is imported can be loaded, bar for bar, and what is refused leaves
/// nothing behind.
pub fn csv(data: &[u8]) -> bool {
    static LOCK: Mutex<()> = Mutex::new(());
    static MARKET: OnceLock<Market> = OnceLock::new();
    let _alone = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let market = MARKET.get_or_init(|| Market::embedded().expect("the market is sound"));
    let instrument = market.instrument("NSE_EQ|INE155A01022").expect("a listed key");
    let dir = scratch().join("csv");
    let (file, out) = (dir.join("bars"), dir.join("out"));
    let _ = fs::remove_dir_all(&out);
    fs::create_dir_all(&dir).expect("a folder");
    fs::write(&file, data).expect("a file");
    let request = Request {
        files: vec![file],
        columns: ColumnNames::default(),
        label: None,
        naive: NaiveClock::India,
        out: out.clone(),
        replace: false,
        quarantine: None,
    };
    let Ok(imported) = import(&request, instrument, &market.calendar) else {
        assert!(!out.exists(), "what is refused leaves nothing behind");
        return false;
    };
    let store = Store::open(&out).expect("what was imported is a store");
    let months = store.months(&instrument.key).expect("the months that were written");
    assert_eq!(months.len(), imported.written.len());
    for (month, (path, written)) in months.into_iter().zip(&imported.written) {
        // A month by itself: between two of them others may be missing, which loading says.
        let last = month.next_month().plus_days(-1);
        let bars = store.load(&instrument.key, month, last).expect("it can be loaded");
        assert_eq!(bars.len(), *written, "{}", path.display());
    }
    assert_eq!(imported.quarantined, 0, "nobody asked for a quarantine");
    true
}

/// A case file. What is no case says where.
pub fn case(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    match Case::parse(text, "fuzzed", Path::new("replays/fuzzed")) {
        Ok(case) => {
            assert!(case.commands.is_sorted_by_key(|command| command.time));
            assert!(case.range.first <= case.range.last);
            assert_eq!(case.request().keys.len(), case.symbols.len());
            true
        }
        Err(faults) => {
            assert!(!faults.is_empty() && faults.is_sorted(), "a refusal has a reason");
            let lines = text.lines().count() + 1;
            assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.at.0)), "{faults:?}");
            false
        }
    }
}

/// A message of the live feed. Nothing that cannot be true gets through, and every key that was
/// there is there.
pub fn feed(data: &[u8]) -> bool {
    let Ok(frame) = decode(data) else { return false };
    assert!(frame.quotes.is_sorted_by(|a, b| a.key < b.key));
    assert!(frame.phases.is_sorted_by_key(|phase| (phase.of, phase.segment.clone())));
    for quote in &frame.quotes {
        assert!(is_name(&quote.key));
        quote.indicative.iter().for_each(|price| assert_price(*price));
        quote.minute.iter().for_each(assert_minute);
        assert!(quote.day_volume.is_none_or(|volume| volume > Qty::ZERO && volume <= QTY_MAX));
        if let Some(trade) = quote.trade {
            assert_price(trade.price);
            assert!((Qty::ZERO..=QTY_MAX).contains(&trade.quantity));
            assert!((2000..2100).contains(&trade.time.date().ymd().0), "{}", trade.time);
        }
    }
    assert!(frame.phases.iter().all(|it| is_name(&it.segment) && is_name(&it.status)));
    for refused in &frame.refused {
        let is_shown = |text: &str| !text.contains(char::is_control) && text.len() < 2_000;
        assert!(is_shown(&refused.key) && is_shown(&refused.why), "{refused:?}");
    }
    true
}

fn assert_price(price: Price) {
    assert!(price > Price(0) && price <= PRICE_MAX, "{price}");
}

fn assert_minute(minute: &Minute) {
    let Minute { open_time, open, high, low, close, volume } = *minute;
    [open, high, low, close].into_iter().for_each(assert_price);
    assert!(open_time.is_whole_minute() && low <= open.min(close) && open.max(close) <= high);
    assert!((Qty::ZERO..=QTY_MAX).contains(&volume));
}

/// A reply of the archive. Its minutes are possible and in order, and once is all of them.
pub fn candles(data: &[u8]) -> bool {
    let Ok(candles) = Candles::parse(data) else { return false };
    candles.minutes.iter().for_each(assert_minute);
    assert!(candles.minutes.is_sorted_by(|a, b| a.open_time < b.open_time));
    let mut twice = candles.clone();
    twice.merge(candles.clone());
    assert_eq!(twice.minutes, candles.minutes);
    let mut clipped = candles.clone();
    clipped.keep_within(&[]);
    assert_eq!((clipped.minutes.len(), clipped.outside), (0, candles.minutes.len()));
    true
}

/// A text message of the live feed. What is shown of it is short and harmless.
pub fn complaint(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Some(complaint) = message::complaint(text) else { return false };
    for words in [&complaint.method, &complaint.error] {
        assert!(!words.contains(char::is_control) && words.chars().count() <= 203, "{words}");
    }
    !complaint.error.is_empty()
}

/// A file of raw messages. What is read is what stands there, byte for byte, and can be played.
pub fn raw(data: &[u8]) -> bool {
    let (frames, is_torn) = raw_file::parse(data);
    let mut again = Vec::new();
    for frame in &frames {
        again.extend(frame.encode().expect("it was short enough to be read"));
    }
    assert!(data.starts_with(&again) && is_torn == (again.len() < data.len()));
    let count = frames.len();
    let played = Recording::new(frames);
    assert_eq!(played.frames.len(), count, "nothing is left out");
    assert!(played.frames.is_sorted_by_key(|sent| sent.at));
    count > 0
}

/// A live feed's judgement under a script: words of the network and time that passes, in any order.
/// Time never goes back, what is closed stays closed, and what is handed on can be true.
pub fn judge(data: &[u8]) -> bool {
    let (run, begin) = judged();
    let mut feed = Feed::new(run, judged_settings(), *begin, begin.0);
    let (mut rest, mut now_us, mut watermark) = (data, begin.0, Timestamp::MIN);
    let mut has_ticks = false;
    while !rest.is_empty() {
        let ([what, low, high], after) = take(rest);
        let count = usize::from(u16::from_le_bytes([low, high]));
        let (words, after) =
            if what % 5 == 1 { (&[][..], after) } else { after.split_at(after.len().min(count)) };
        rest = after;
        let mut told = Told::default();
        match what % 5 {
            0 => feed.hear(&Heard::Up, now_us, &mut told),
            1 => {
                now_us += count as i64 * SECOND_US / 10;
                feed.pass(now_us, &mut told);
            }
            2 => feed.hear(&Heard::Frame(words.to_vec()), now_us, &mut told),
            3 => {
                let down = Down::Closed { code: None, reason: String::new() };
                feed.hear(&Heard::Down(down), now_us, &mut told);
            }
            _ => {
                let text = String::from_utf8_lossy(words).into_owned();
                feed.hear(&Heard::Text(text), now_us, &mut told);
            }
        }
        for input in &told.inputs {
            has_ticks |= matches!(input, Input::Tick(_));
            if let Input::Watermark(time) = input {
                assert!(*time > watermark, "{time} after {watermark}");
                watermark = *time;
            }
            assert_judged(run, input);
        }
        assert!(feed.watermark() >= watermark);
    }
    has_ticks
}

fn assert_judged(run: &RunStarted, input: &Input) {
    let is_known = |id: usize| id < run.instruments.len();
    match input {
        Input::Tick(tick) => {
            assert!(is_known(tick.instrument.index()));
            assert_price(tick.price);
        }
        Input::Gap(gap) => assert!(gap.from < gap.to && is_known(gap.instrument.index())),
        Input::Notice(notice) => {
            assert!(!notice.detail.contains(char::is_control), "{notice:?}");
        }
        Input::Watermark(_) | Input::Backfill(_) => {}
        other => panic!("a feed says no {other:?}"),
    }
}

/// One session, and a time within it at which somebody begins to listen.
fn judged() -> &'static (RunStarted, Timestamp) {
    static RUN: OnceLock<(RunStarted, Timestamp)> = OnceLock::new();
    RUN.get_or_init(|| {
        let day = Date::parse("2026-06-01").expect("a date");
        let request = RunRequest {
            range: DateRange { first: day, last: day },
            warmup_sessions: 0,
            keys: ["NSE_EQ|INE245A01021", "NSE_EQ|INE118H01025"].map(str::to_owned).into(),
            strategy: Default::default(),
            execution: Default::default(),
            fees: "nse".to_owned(),
            commands: Vec::new(),
        };
        let market = Market::embedded().expect("the market is sound");
        let run = Plan::new(&request, &market).expect("a day of the calendar").run;
        (run, Timestamp::from_ist(day, 9, 20))
    })
}

fn judged_settings() -> Settings {
    Settings {
        pace: Pace::Times(1),
        lateness_ms: 2_000,
        silence_ms: 15_000,
        has_own_time: false,
        tells_each_trade: true,
        archive_delay_ms: 5_000,
        seed: 1,
    }
}
