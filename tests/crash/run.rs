//! One run in several lives: a journal is begun, its process or its machine stops, it is taken up
//! again. After each life everything that is there is held against what was handed in.

use std::path::{Path, PathBuf};

use lockstep::domain::event::{Event, Record};
use lockstep::journal::recover::{examine, resume};
use lockstep::journal::segment::RunId;
use lockstep::journal::writer::Stamp;
use lockstep::journal::{
    End, Findings, Identity, JournalError, Limits, PersistMode, Reader, Setup, Writer,
};

use super::damage::Damage;
use super::dice::Dice;
use super::disk::{ROOT, SimDisk};
use super::fate::Weather;
use super::plan::{Honesty, Plan};
use super::tally::Tally;
use super::trace::Trace;
use super::world::{World, derived};

/// What must not be, in words.
pub type Violation = String;

/// How the names of segments end.
const SEGMENT: &str = ".evl";

/// How a life goes on as long as nothing stops it.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Steps that are taken.
    pub steps: u64,
    /// Every so many of them are urgent, at random.
    pub urgent_once_in: u64,
    /// Whether the run ends after them.
    pub seals: bool,
}

/// How a life ended.
#[derive(Debug)]
pub enum Ended {
    /// After all of its steps.
    InOrder,
    /// With an error.
    With(JournalError),
}

/// A run of one seed.
pub struct Run {
    pub disk: SimDisk,
    pub dice: Dice,
    pub tally: Tally,
    pub limits: Limits,
    world: World,
    honesty: Honesty,
    /// Every record that may be there, in order.
    handed: Vec<Record>,
    /// How many of these must be there, and how many had to be before the last was acknowledged.
    acknowledged: usize,
    acknowledged_before: usize,
    /// The input up to which the mark must speak after a power cut: something was urgent there.
    promised_seq: u64,
    /// Whether the end was asked for, and whether it was acknowledged.
    seal_asked: bool,
    sealed: bool,
}

/// What a reader finds.
struct Content {
    records: Vec<Record>,
    end: End,
}

impl Run {
    /// A run on an empty disk.
    pub fn new(seed: u64, capacity: u64, honesty: Honesty, is_shown: bool) -> Run {
        let mut dice = Dice::new(seed, 3);
        let limits = Limits {
            batch_records: dice.within(1..7) as u32,
            batch_bytes: dice.within(200..1_500) as usize,
            segment_bytes: 4_096 + dice.within(600..8_000),
        };
        Run {
            disk: SimDisk::new(seed, capacity, Trace::new(is_shown)),
            dice,
            tally: Tally { seeds: 1, ..Tally::default() },
            world: World::new(seed),
            limits,
            honesty,
            handed: Vec::new(),
            acknowledged: 0,
            acknowledged_before: 0,
            promised_seq: 0,
            seal_asked: false,
            sealed: false,
        }
    }

    /// Whether the disk keeps what it promises.
    pub fn honesty(&self) -> Honesty {
        self.honesty
    }

    fn run_dir() -> PathBuf {
        Path::new(ROOT).join("run")
    }

    fn setup(&mut self) -> Setup {
        let salt_seed = self.dice.any();
        Setup {
            disk: self.disk.handle(),
            run_dir: Run::run_dir(),
            identity: Identity { run_id: RunId([7; 16]), salt_seed, created_ns: 1 },
            limits: self.limits,
            mode: PersistMode::Durable,
            clock: || Stamp { wall_ns: 3, mono_ns: 5, boot_id: [9; 16] },
        }
    }

    /// A process starts, takes up what is there, goes on, and is gone.
    pub fn live(&mut self, plan: Plan, script: Script) -> Result<Ended, Violation> {
        self.tally.lives += 1;
        self.disk.start(plan);
        let (writer, ended) = match self.open()? {
            Ok(Some(writer)) => self.go_on(writer, script)?,
            Ok(None) => (None, Ended::InOrder),
            Err(error) => (None, Ended::With(error)),
        };
        self.tally.stops += u64::from(self.disk.has_stopped());
        self.tally.failures +=
            u64::from(matches!(ended, Ended::With(_)) && !self.disk.has_stopped());
        // From here on the disk does nothing for the process, not even for its last words.
        self.disk.kill();
        drop(writer);
        Ok(ended)
    }

    /// A writer behind everything that is there; none where the run is over.
    fn open(&mut self) -> Result<Result<Option<Writer>, JournalError>, Violation> {
        let setup = self.setup();
        let findings = match examine(&setup.disk, &setup.run_dir) {
            Ok(findings) => findings,
            Err(JournalError::Absent { .. }) if self.acknowledged == 0 => {
                self.handed.clear();
                return Ok(Writer::begin(&setup).map(Some));
            }
            Err(error) => {
                self.no_false_alarm(&error)?;
                return Ok(Err(error));
            }
        };
        if findings.is_sealed() {
            return Ok(Ok(None));
        }
        let found = self.before(findings.next_seq);
        if found < self.acknowledged && self.honesty == Honesty::Honest {
            self.tally.lost += (self.acknowledged - found) as u64;
            return Err(format!("{} acknowledged, {found} taken up", self.acknowledged));
        }
        let (next_seq, left) = (findings.next_seq, self.disk.fingerprints(SEGMENT));
        let resumed = resume(&setup, findings);
        let kept = self.disk.fingerprints(SEGMENT);
        if let Some(written) = left.iter().find(|file| !kept.contains(file)) {
            return Err(format!("{} was left by another process and is another now", written.0));
        }
        let writer = match resumed {
            Ok((writer, _)) => writer,
            Err(error) => {
                self.no_false_alarm(&error)?;
                return Ok(Err(error));
            }
        };
        if writer.next_seq() != next_seq {
            return Err(format!("{next_seq} found, but {} comes next", writer.next_seq()));
        }
        // Whoever resumes has everything on the disk.
        self.handed.truncate(found);
        (self.acknowledged, self.acknowledged_before) = (found, found);
        self.promised_seq = next_seq;
        self.tally.resumed += 1;
        Ok(Ok(Some(writer)))
    }

    /// How many records come before an input.
    fn before(&self, seq: u64) -> usize {
        self.handed.partition_point(|record| record.id.seq < seq)
    }

    /// Damage was found that nobody did.
    fn no_false_alarm(&mut self, error: &JournalError) -> Result<(), Violation> {
        let is_alarm = matches!(
            error,
            JournalError::Damaged { .. }
                | JournalError::Lost { .. }
                | JournalError::Absent { .. }
                | JournalError::TooNew { .. }
                | JournalError::TooOld { .. }
                | JournalError::Refused { .. }
                | JournalError::OtherRun { .. }
        );
        if is_alarm && self.honesty == Honesty::Honest {
            self.tally.false_alarms += 1;
            return Err(format!("false alarm: {error}"));
        }
        Ok(())
    }

    fn go_on(
        &mut self,
        mut writer: Writer,
        script: Script,
    ) -> Result<(Option<Writer>, Ended), Violation> {
        for _ in 0..script.steps {
            let step = self.world.step(writer.next_seq());
            self.handed.extend_from_slice(&step);
            let urgent = self.dice.once_in(script.urgent_once_in);
            match take(&mut writer, &step, urgent) {
                Ok(true) => self.acknowledge(urgent),
                Ok(false) if urgent => return Err("what is urgent waits".into()),
                Ok(false) => {}
                Err(error) => {
                    self.nothing_more(writer)?;
                    return Ok((None, Ended::With(error)));
                }
            }
        }
        if !script.seals {
            return Ok((Some(writer), Ended::InOrder));
        }
        self.seal_asked = true;
        match writer.seal() {
            Ok(_) => {
                self.acknowledge(true);
                self.sealed = true;
                Ok((None, Ended::InOrder))
            }
            Err(error) => Ok((None, Ended::With(error))),
        }
    }

    /// A writer that has failed once acknowledges nothing any more, whatever it is asked.
    fn nothing_more(&mut self, mut writer: Writer) -> Result<(), Violation> {
        for _ in 0..2 {
            let step = self.world.step(writer.next_seq());
            if let Ok(true) = take(&mut writer, &step, true) {
                return Err("acknowledged after a failure".into());
            }
        }
        match writer.seal() {
            Ok(_) => Err("sealed after a failure".into()),
            Err(_) => Ok(()),
        }
    }

    fn acknowledge(&mut self, urgent: bool) {
        if urgent {
            self.promised_seq = self.handed.last().map_or(0, |record| record.id.seq + 1);
        }
        if self.handed.len() > self.acknowledged {
            self.acknowledged_before = self.acknowledged;
            self.tally.acknowledged += (self.handed.len() - self.acknowledged) as u64;
            self.acknowledged = self.handed.len();
        }
    }

    /// Cuts the power.
    pub fn power_cut(&mut self, weather: Weather) {
        self.tally.power_cuts += 1;
        self.disk.state().power_cut(weather);
    }

    /// Looks at what is there, on a disk that does nothing wrong any more.
    pub fn check(&mut self) -> Result<(), Violation> {
        self.disk.start(Plan { honesty: self.honesty, ..Plan::CALM });
        let changes = self.disk.changes();
        let (findings, content) = match self.look(&self.disk) {
            Ok(found) => found,
            Err(JournalError::Absent { .. }) if self.acknowledged == 0 => return Ok(()),
            Err(error) => return self.no_false_alarm(&error),
        };
        if self.disk.changes() != changes {
            return Err("looking has changed something".into());
        }
        self.judge(&findings, &content)?;
        if self.honesty == Honesty::Honest {
            return self.nothing_lost(&findings, &content);
        }
        // The disk lied; whatever is there now is the truth.
        self.acknowledged = self.acknowledged.min(content.records.len());
        self.acknowledged_before = self.acknowledged_before.min(self.acknowledged);
        self.sealed &= matches!(content.end, End::Sealed(_));
        Ok(())
    }

    fn look(&self, disk: &SimDisk) -> Result<(Findings, Content), JournalError> {
        let (handle, run_dir) = (disk.handle(), Run::run_dir());
        let findings = examine(&handle, &run_dir)?;
        let mut reader = Reader::open_on(handle, &run_dir)?;
        let mut records = Vec::with_capacity(self.handed.len());
        while let Some(record) = reader.next_record()? {
            records.push(record);
        }
        let end = reader.end().expect("a reader at its end says how it is");
        Ok((findings, Content { records, end }))
    }

    /// What is there was handed in, in that order, step by step, and both ways of looking agree.
    fn judge(&mut self, findings: &Findings, content: &Content) -> Result<(), Violation> {
        let Content { records, end } = content;
        let differs = records.iter().zip(&self.handed).position(|(found, handed)| found != handed);
        if let Some(place) =
            differs.or((records.len() > self.handed.len()).then_some(self.handed.len()))
        {
            let record = &records[place];
            if self.handed.contains(record) {
                self.tally.reordered += 1;
                return Err(format!("reordered: {} in place {place}", record.id));
            }
            self.tally.phantoms += 1;
            return Err(format!("phantom: {} in place {place} was never handed in", record.id));
        }
        let next = self.handed.get(records.len());
        if next.is_some_and(|record| matches!(record.event, Event::Output(_))) {
            return Err(format!("half a step: it ends within {}", next.expect("seen above").id));
        }
        if findings.records != records.len() as u64
            || self.before(findings.next_seq) != records.len()
            || findings.end != *end
        {
            return Err("looking and reading find different things".into());
        }
        if matches!(end, End::Sealed(_)) && !self.seal_asked {
            return Err("sealed, though nobody asked for it".into());
        }
        Ok(())
    }

    fn nothing_lost(&mut self, findings: &Findings, content: &Content) -> Result<(), Violation> {
        let (found, due) = (content.records.len(), self.acknowledged);
        if found < due {
            self.tally.lost += (due - found) as u64;
            return Err(format!("lost: {due} records acknowledged, {found} there"));
        }
        let marked = findings.mark.map_or(0, |mark| mark.next_seq);
        if marked < self.promised_seq {
            let promised = self.promised_seq;
            return Err(format!("the mark stands at {marked}, but up to {promised} was urgent"));
        }
        if self.sealed && !matches!(content.end, End::Sealed(_)) {
            return Err("the seal was acknowledged and is gone".into());
        }
        Ok(())
    }

    /// Does `cases` damages, each to a copy of the disk at rest, and looks whether they are seen.
    pub fn damage(&mut self, cases: u64) -> Result<(), Violation> {
        if self.honesty != Honesty::Honest {
            return Ok(());
        }
        self.disk.state().power_cut(Weather::Calm);
        let Ok((findings, _)) = self.look(&self.disk) else { return Ok(()) };
        let marked = findings.mark.map_or(0, |mark| self.before(mark.next_seq));
        for _ in 0..cases {
            self.damage_once(marked.min(self.acknowledged))?;
        }
        Ok(())
    }

    /// Up to the mark nothing may go unnoticed. After a power cut the mark may be older than the
    /// last acknowledged batches: if all of these are gone, nothing tells that from a torn write,
    /// but a commit that is left proves everything before it.
    fn damage_once(&mut self, marked: usize) -> Result<(), Violation> {
        let dir = format!("{ROOT}/run/log/");
        let Some(damage) = Damage::thrown(&self.disk, &dir, &mut self.dice) else {
            return Ok(());
        };
        let copy = self.disk.copy();
        if !damage.apply(&copy) {
            return Ok(());
        }
        self.tally.damages += 1;
        let due = match damage {
            Damage::Flip { .. } => marked.max(self.acknowledged_before).min(self.acknowledged),
            _ => marked,
        };
        match self.look(&copy) {
            Err(_) => self.tally.flagged += 1,
            Ok((findings, content)) => {
                let judged = self.judge(&findings, &content);
                judged.map_err(|violation| format!("{violation}, after {damage:?}"))?;
                let found = content.records.len();
                if found < due {
                    self.tally.unflagged += 1;
                    return Err(format!("not flagged: {due} due, {found} there, after {damage:?}"));
                }
                if found < self.acknowledged {
                    self.tally.ambiguous += 1;
                } else {
                    self.tally.harmless += 1;
                }
            }
        }
        Ok(())
    }
}

/// Hands a step to the writer.
fn take(writer: &mut Writer, step: &[Record], urgent: bool) -> Result<bool, JournalError> {
    for record in step {
        match (&record.event, derived(record)) {
            (Event::Input(input), _) => writer.input(record.id.seq, record.received_ns, input)?,
            (_, Some(output)) => writer.output(record.id.seq, record.id.index, &output)?,
            (Event::Output(_), None) => unreachable!("outputs are derived"),
        }
    }
    writer.settle(urgent)
}
