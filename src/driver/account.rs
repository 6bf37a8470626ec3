//! What reports are made of: a run's journal folded once, or a golden's tables. Both become the
//! same account by the same way, over the tables' text, which is exact.

use std::collections::BTreeMap;

use crate::domain::event::{Derived, Event, EventId, Input, Record, RunStarted};
use crate::domain::fact::{Fill, OrderReason, SignalKind, SignalRef};
use crate::domain::instrument::InstrumentId;
use crate::domain::money::{Cash, Price, Qty, Side};
use crate::domain::time::{Date, Timestamp};
use crate::driver::align::align;
use crate::driver::align::ground::Ground;
use crate::driver::align::world::World;
use crate::golden::align::Given;
use crate::golden::align::class::Explained;
use crate::golden::book::{Book, Collector};
use crate::golden::table::{Row, Table};
use crate::journal::error::JournalError;
use crate::journal::reader::{End, Reader};
use crate::sinks::Sink as _;
use crate::sinks::report::economics::Account;
use crate::sinks::summary::Summary;

/// A recorded run, folded.
pub struct Recorded {
    /// Its description.
    pub run: Box<RunStarted>,
    /// Its name.
    pub run_id: String,
    /// Digest over all its records.
    pub digest: String,
    /// How many there are.
    pub records: u64,
    /// How the journal ends.
    pub end: End,
    /// Whether its inputs were received as they happened; a replay's were not.
    pub is_lived: bool,
    /// Its comparable facts.
    pub book: Book,
    /// Counts, trades and profit.
    pub summary: Summary,
    /// What its economics are computed from: the days that are over.
    pub account: Account,
    /// The day that is not over, where it has fills already. They are not in the account.
    pub under_way: Option<Date>,
}

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal has no first record.
    #[error("the journal holds no run")]
    NoRun,
    /// A row of a table says what cannot be.
    #[error("{table}, line {line}: {what}")]
    Row {
        /// The table.
        table: &'static str,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
}

/// Folds a run's journal from its beginning to its end.
///
/// # Errors
/// When it is damaged or holds no run.
pub fn read(mut reader: Reader) -> Result<Recorded, AccountError> {
    let mut folds: Option<Folds> = None;
    while let Some(record) = reader.next_record()? {
        match (&record.event, &mut folds) {
            (Event::Input(Input::RunStarted(run)), None) => folds = Some(Folds::new(run)),
            (_, Some(folds)) => folds.take(&record),
            (_, None) => {}
        }
    }
    let Folds { run, collector, summary, records, is_lived } = folds.ok_or(AccountError::NoRun)?;
    let book = collector.finish();
    let days: Vec<Date> = summary.days.iter().map(|day| day.date).collect();
    let mut account = of_book(&book)?;
    let last = days.last().copied().unwrap_or_default();
    let is_over = |fill: &Fill| fill.time.date() <= last;
    let under_way = account.fills.iter().find(|fill| !is_over(fill)).map(|fill| fill.time.date());
    account.fills.retain(is_over);
    account.days = days;
    Ok(Recorded {
        run,
        run_id: reader.header().run_id.to_string(),
        digest: reader.digest().to_string(),
        records,
        is_lived,
        end: reader.end().unwrap_or(End::Unsealed { trailing_bytes: 0 }),
        book,
        summary,
        account,
        under_way,
    })
}

struct Folds {
    run: Box<RunStarted>,
    collector: Collector,
    summary: Summary,
    records: u64,
    is_lived: bool,
}

impl Folds {
    fn new(run: &RunStarted) -> Folds {
        Folds {
            run: Box::new(run.clone()),
            collector: Collector::new(run),
            summary: Summary::since(run.config.active_from),
            records: 1,
            is_lived: false,
        }
    }

    fn take(&mut self, record: &Record) {
        self.records += 1;
        self.is_lived |= record.received_ns != 0;
        match &record.event {
            Event::Input(input) => {
                self.collector.input(input);
                self.summary.input(record.id.seq, input);
            }
            Event::Output(output) => {
                self.collector.output(record.id, output);
                let derived = Derived { cause: record.cause, output: output.clone() };
                self.summary.output(record.id, &derived);
            }
        }
    }
}

/// Why the signals of a golden and those of the rule over the run's own minutes part, each with its
/// cause. Signals on keys that the run does not have are left out.
///
/// # Errors
/// When the journal is damaged or holds no run, or a cell is not what its column holds.
pub fn causes(reader: Reader, golden: &Table) -> Result<(Ground, Vec<Explained>), AccountError> {
    let (world, _) = World::of_journal(reader)?.ok_or(AccountError::NoRun)?;
    let ground = world.ground();
    let mut given = Vec::new();
    for row in &golden.rows {
        let key = golden.cell(row, "key");
        let place = ground.run.instruments.iter().position(|it| it.key == key);
        let Some(place) = place.and_then(|place| u16::try_from(place).ok()) else { continue };
        let shares = |text: &str| text.parse().ok().map(Qty);
        given.push(Given {
            line: row.line,
            instrument: InstrumentId(place),
            bar_time: cell(golden, row, "time", Timestamp::parse)?,
            side: cell(golden, row, "side", Side::from_word)?,
            kind: Some(cell(golden, row, "type", SignalKind::from_word)?),
            price: Some(cell(golden, row, "price", Price::parse)?),
            quantity: Some(cell(golden, row, "quantity", shares)?),
            stop: Some(cell(golden, row, "stop", Price::parse)?),
            target: Some(cell(golden, row, "target", Price::parse)?),
        });
    }
    let aligned = align(&ground, ground.run.config.strategy.profile, &given);
    Ok((ground, aligned.explained))
}

/// The account of a book: its days are those with a strategy bar.
///
/// # Errors
/// When a cell is not what its column holds, or a fill goes back to no signal.
pub fn of_book(book: &Book) -> Result<Account, AccountError> {
    let mut account = Account::default();
    for row in &book.bars.rows {
        let instrument = instrument(&mut account, book.bars.cell(row, "key"));
        account.bars[instrument.index()].push(row.known);
        account.days.push(row.known.date());
    }
    account.days.sort_unstable();
    account.days.dedup();
    account.bars.iter_mut().for_each(|known| known.sort_unstable());
    let name = |row| (book.signals.cell(row, "signal_id"), row);
    let signals: BTreeMap<&str, &Row> = book.signals.rows.iter().map(name).collect();
    for row in &book.fills.rows {
        let fill = fill(&mut account, book, &signals, row)?;
        account.fills.push(fill);
    }
    Ok(account)
}

/// The place of a key, which it gets when it is first seen.
fn instrument(account: &mut Account, key: &str) -> InstrumentId {
    let place = account.keys.iter().position(|known| known == key).unwrap_or_else(|| {
        account.keys.push(key.to_owned());
        account.bars.push(Vec::new());
        account.keys.len() - 1
    });
    InstrumentId(u16::try_from(place).unwrap_or(u16::MAX))
}

fn fill(
    account: &mut Account,
    book: &Book,
    signals: &BTreeMap<&str, &Row>,
    row: &Row,
) -> Result<Fill, AccountError> {
    let table = &book.fills;
    let id = table.cell(row, "signal_id");
    let signal =
        signals.get(id).ok_or_else(|| wrong(table, row, format!("there is no signal {id}")))?;
    let origin = SignalRef {
        bar_time: cell(&book.signals, signal, "time", Timestamp::parse)?,
        side: cell(&book.signals, signal, "side", Side::from_word)?,
        kind: cell(&book.signals, signal, "type", SignalKind::from_word)?,
    };
    let shares = |text: &str| text.parse().ok().filter(|shares| *shares > 0).map(Qty);
    Ok(Fill {
        order: EventId::NONE,
        instrument: instrument(account, table.cell(row, "key")),
        time: row.known,
        side: cell(table, row, "side", Side::from_word)?,
        quantity: cell(table, row, "quantity", shares)?,
        price: cell(table, row, "price", Price::parse)?,
        fee: cell(table, row, "fee", Cash::parse)?,
        reason: cell(table, row, "reason", OrderReason::from_word)?,
        origin,
    })
}

fn cell<T>(
    table: &Table,
    row: &Row,
    column: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, AccountError> {
    let text = table.cell(row, column);
    read(text).ok_or_else(|| wrong(table, row, format!("'{text}' is no {column}")))
}

fn wrong(table: &Table, row: &Row, what: String) -> AccountError {
    AccountError::Row { table: table.kind.file(), line: row.line, what }
}
