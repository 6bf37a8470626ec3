//! What a run earned: round trips, how they ended, what they cost under each fee schedule, in all
//! and by day. The same fold serves a run's journal and a golden's tables, so that nothing but the
//! facts can make the two differ.

use std::collections::BTreeMap;

use crate::domain::config::FeeSchedule;
use crate::domain::event::EventId;
use crate::domain::fact::{Fill, OrderReason};
use crate::domain::money::{Cash, Qty, Side};
use crate::domain::time::{Date, Timestamp};
use crate::sinks::tables::trades::{Holding, Trade as RoundTrip};

/// What the figures are computed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The trading days, ascending.
    pub days: Vec<Date>,
    /// The instruments' keys; a fill's instrument is a place in here.
    pub keys: Vec<String>,
    /// When each strategy bar was known, by instrument, ascending.
    pub bars: Vec<Vec<Timestamp>>,
    /// The fills, in order.
    pub fills: Vec<Fill>,
}

/// The fee schedules that a run is charged by.
#[derive(Clone, Copy, Debug)]
pub struct Schedules<'a> {
    /// Real charges by date.
    pub nse: &'a FeeSchedule,
    /// What the user's plan reckons with: Rs 20 an order and 0.025 % STT on sells.
    pub plan: &'a FeeSchedule,
}

/// Charges of the same fills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// As recorded.
    pub recorded: Cash,
    /// Under the schedule `nse`.
    pub nse: Cash,
    /// Under the schedule `plan`.
    pub plan: Cash,
}

impl Charges {
    fn plus(self, other: Charges) -> Charges {
        Charges {
            recorded: self.recorded.plus(other.recorded),
            nse: self.nse.plus(other.nse),
            plan: self.plan.plus(other.plan),
        }
    }
}

/// A round trip that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The instrument, a place in [`Account::keys`].
    pub instrument: usize,
    /// BUY for a long position.
    pub side: Side,
    /// When the first fill was.
    pub entry_time: Timestamp,
    /// When the last fill was. The trade belongs to that day.
    pub exit_time: Timestamp,
    /// Shares that were opened.
    pub quantity: Qty,
    /// Profit before fees: what was taken in less what was paid.
    pub gross: Cash,
    /// Charges of its fills.
    pub fees: Charges,
    /// Why it ended: a word of [`OrderReason`], or `opposite-signal`.
    pub ended_by: &'static str,
    /// The instrument's strategy bars that came to be known after the entry and up to the exit.
    pub bars_held: usize,
}

/// Sums over trades.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Trades that are over.
    pub trades: u64,
    /// Of these, those with a profit after the recorded fees.
    pub wins: u64,
    /// Profit before fees.
    pub gross: Cash,
    /// Charges.
    pub fees: Charges,
    /// How often trades ended why.
    pub ended_by: BTreeMap<&'static str, u64>,
}

impl Figures {
    /// Profit after the recorded fees.
    pub fn net(&self) -> Cash {
        self.gross.minus(self.fees.recorded)
    }

    /// Trades that ended for that reason.
    pub fn ended(&self, reason: OrderReason) -> u64 {
        self.ended_by.get(reason.word()).copied().unwrap_or_default()
    }

    /// Adds the sums of other trades.
    pub fn merge(&mut self, other: &Figures) {
        self.trades += other.trades;
        self.wins += other.wins;
        self.gross = self.gross.plus(other.gross);
        self.fees = self.fees.plus(other.fees);
        for (reason, count) in &other.ended_by {
            *self.ended_by.entry(reason).or_default() += count;
        }
    }

    fn add(&mut self, trade: &Trade) {
        self.trades += 1;
        self.wins += u64::from(trade.gross > trade.fees.recorded);
        self.gross = self.gross.plus(trade.gross);
        self.fees = self.fees.plus(trade.fees);
        *self.ended_by.entry(trade.ended_by).or_default() += 1;
    }
}

/// A share of a whole in percent; none of nothing.
pub fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

/// Whether positions are given up after their full time, and never later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeStop {
    /// Bars after which a position is to be given up.
    pub bars: usize,
    /// Trades that ended so.
    pub ended: usize,
    /// Of these, the trades that ended before that many bars: places in [`Economics::trades`].
    pub early: Vec<usize>,
    /// Trades of any end that lasted through more bars.
    pub late: Vec<usize>,
    /// The most bars that a trade lasted.
    pub longest: usize,
}

/// What a run earned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Economics {
    /// Round trips that are over, in order of their end.
    pub trades: Vec<Trade>,
    /// By day, every trading day once. A trade belongs to the day on which it ended.
    pub days: Vec<(Date, Figures)>,
    /// In all.
    pub total: Figures,
    /// Positions that are still open, which are in no sum.
    pub open: usize,
    /// Fills, those of open positions included.
    pub fills: usize,
}

impl Economics {
    /// The figures of an account.
    pub fn of(account: &Account, schedules: Schedules<'_>) -> Economics {
        let (trades, open) = trades(account, schedules);
        let mut days: BTreeMap<Date, Figures> =
            account.days.iter().map(|day| (*day, Figures::default())).collect();
        let mut total = Figures::default();
        for trade in &trades {
            days.entry(trade.exit_time.date()).or_default().add(trade);
            total.add(trade);
        }
        let days = days.into_iter().collect();
        Economics { trades, days, total, open, fills: account.fills.len() }
    }

    /// Whether positions were given up after `bars` bars.
    pub fn time_stop(&self, bars: usize) -> TimeStop {
        let places = |is_it: &dyn Fn(&Trade) -> bool| -> Vec<usize> {
            let held = self.trades.iter().enumerate().filter(|(_, trade)| is_it(trade));
            held.map(|(place, _)| place).collect()
        };
        let is_ended = |trade: &Trade| trade.ended_by == OrderReason::TimeStop.word();
        TimeStop {
            bars,
            ended: places(&is_ended).len(),
            early: places(&|trade| is_ended(trade) && trade.bars_held < bars),
            late: places(&|trade| trade.bars_held > bars),
            longest: self.trades.iter().map(|trade| trade.bars_held).max().unwrap_or_default(),
        }
    }
}

/// Fills whose recorded fee is not what a schedule charges: places in [`Account::fills`].
pub fn misfees(account: &Account, schedule: &FeeSchedule) -> Vec<usize> {
    let is_off =
        |(place, fill): (usize, &Fill)| (charge(fill, schedule) != Some(fill.fee)).then_some(place);
    account.fills.iter().enumerate().filter_map(is_off).collect()
}

/// What a schedule charges for a fill; none where it has no period.
fn charge(fill: &Fill, schedule: &FeeSchedule) -> Option<Cash> {
    let turnover = fill.price.times(fill.quantity.abs());
    schedule.at(fill.time.date()).map(|period| period.charge(fill.side, turnover))
}

/// Round trips in order of their end, and how many positions are open. Charges of each schedule are
/// shared out among trades by the one fold, fill by fill.
fn trades(account: &Account, schedules: Schedules<'_>) -> (Vec<Trade>, usize) {
    let mut holdings = vec![[Holding::default(); 3]; account.keys.len()];
    let mut trades = Vec::new();
    for (seq, fill) in (0..).zip(&account.fills) {
        let instrument = fill.instrument.index();
        let fees = [Some(fill.fee), charge(fill, schedules.nse), charge(fill, schedules.plan)];
        let mut ended: [Option<RoundTrip>; 3] = [None; 3];
        for ((holding, fee), ended) in
            holdings[instrument].iter_mut().zip(fees).zip(ended.iter_mut())
        {
            let fill = Fill { fee: fee.unwrap_or_default(), ..*fill };
            *ended = holding.fill(EventId::input(seq), &fill).find(|trade| trade.exit.is_some());
        }
        let [Some(recorded), Some(nse), Some(plan)] = ended else { continue };
        let Some((exit_time, ended_by)) = recorded.exit else { continue };
        trades.push(Trade {
            instrument,
            side: recorded.side,
            entry_time: recorded.entry_time,
            exit_time,
            quantity: recorded.entered,
            gross: recorded.gross(),
            fees: Charges { recorded: recorded.fees, nse: nse.fees, plan: plan.fees },
            ended_by,
            bars_held: held(&account.bars[instrument], recorded.entry_time, exit_time),
        });
    }
    let is_open = |[holding, ..]: &&[Holding; 3]| holding.quantity() != Qty::ZERO;
    (trades, holdings.iter().filter(is_open).count())
}

/// Bars that came to be known after `entry` and up to `exit`.
fn held(known: &[Timestamp], entry: Timestamp, exit: Timestamp) -> usize {
    let until = |time| known.partition_point(|known| *known <= time);
    until(exit).saturating_sub(until(entry))
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::domain::config::FeePeriod;
    use crate::domain::fact::{SignalKind, SignalRef};
    use crate::domain::instrument::InstrumentId;
    use crate::domain::money::{Price, Rate};

    /// So much an order, and nothing else.
    pub fn flat(rupees: i64) -> FeeSchedule {
        let period = FeePeriod {
            from: Date::default(),
            brokerage_flat: Cash::from_rupees(rupees),
            brokerage_rate: Rate::ONE,
            stt_buy: Rate(0),
            stt_sell: Rate(0),
            transaction: Rate(0),
            ipft: Rate(0),
            sebi: Rate(0),
            stamp_buy: Rate(0),
            stamp_sell: Rate(0),
            gst: Rate(0),
            gst_on_ipft: false,
            gst_on_sebi: false,
        };
        FeeSchedule { name: "flat".into(), version: "test".into(), periods: vec![period] }
    }

    pub fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a test's time")
    }

    /// `10` shares at `rupees` for a fee of Rs 2.
    pub fn fill(at: &str, side: Side, rupees: i64, reason: OrderReason) -> Fill {
        let origin = SignalRef { bar_time: time(at), side, kind: SignalKind::Trend };
        Fill {
            order: EventId::NONE,
            instrument: InstrumentId(0),
            time: time(at),
            side,
            quantity: Qty(10),
            price: Price(rupees * 10_000),
            fee: Cash::from_rupees(2),
            reason,
            origin,
        }
    }

    /// One instrument whose bars are known every quarter hour of two days.
    pub fn account(fills: Vec<Fill>) -> Account {
        let days: Vec<Date> = ["2024-10-01", "2024-10-03"]
            .into_iter()
            .map(|day| Date::parse(day).expect("a test's day"))
            .collect();
        let of_day = |day: &Date| {
            let open = Timestamp::from_ist(*day, 9, 15);
            (1..=25).map(move |bar| open.plus_minutes(15 * bar))
        };
        let bars = days.iter().flat_map(of_day).collect();
        Account { days, keys: vec!["A".into()], bars: vec![bars], fills }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{account, fill, flat};
    use super::*;
    use OrderReason::{Entry, SessionEnd, Stop, Target, TimeStop as TimeUp};
    use Side::{Buy, Sell};

    fn economics(fills: Vec<Fill>) -> Economics {
        let (nse, plan) = (flat(3), flat(5));
        Economics::of(&account(fills), Schedules { nse: &nse, plan: &plan })
    }

    #[test]
    fn a_trade_belongs_to_the_day_on_which_it_ended() {
        let found = economics(vec![
            fill("2024-10-01T10:00", Buy, 100, Entry),
            fill("2024-10-01T10:20", Sell, 102, Target),
            fill("2024-10-01T15:00", Sell, 100, Entry),
            fill("2024-10-03T09:20", Buy, 103, Stop),
            fill("2024-10-03T14:00", Buy, 100, Entry),
        ]);
        let net: Vec<String> = found.days.iter().map(|(_, day)| day.net().to_string()).collect();
        assert_eq!(net, ["16.00", "-34.00"]);
        assert_eq!((found.total.trades, found.total.wins, found.open), (2, 1, 1));
        assert_eq!((found.total.ended(Target), found.total.ended(Stop)), (1, 1));
        assert_eq!(found.total.gross, Cash::from_rupees(-10));
        let Charges { recorded, nse, plan } = found.total.fees;
        assert_eq!([recorded, nse, plan].map(|fees| fees.0 / 10_000), [8, 12, 20]);
    }

    #[test]
    fn a_profit_that_the_fees_eat_is_no_win() {
        let found = economics(vec![
            fill("2024-10-01T10:00", Buy, 100, Entry),
            Fill {
                price: crate::domain::money::Price(1_004_000),
                ..fill("2024-10-01T10:20", Sell, 100, SessionEnd)
            },
        ]);
        assert_eq!((found.total.net(), found.total.wins), (Cash::ZERO, 0));
    }

    #[test]
    fn bars_are_counted_from_the_first_that_is_known_after_the_entry() {
        // The bar that is known at 10:00 made the signal; the one at 13:00 is the twelfth.
        let on_time = economics(vec![
            fill("2024-10-01T10:00", Buy, 100, Entry),
            fill("2024-10-01T13:00", Sell, 100, TimeUp),
        ]);
        let stop = on_time.time_stop(12);
        assert_eq!((stop.ended, stop.longest), (1, 12));
        assert!(stop.early.is_empty() && stop.late.is_empty());
        let others = economics(vec![
            fill("2024-10-01T10:00", Buy, 100, Entry),
            fill("2024-10-01T12:59", Sell, 100, TimeUp),
            fill("2024-10-01T13:00", Buy, 100, Entry),
            fill("2024-10-03T10:30", Sell, 100, Stop),
        ]);
        let stop = others.time_stop(12);
        assert_eq!((stop.early, stop.late, stop.longest), (vec![0], vec![1], 15));
    }

    #[test]
    fn a_fee_that_the_schedule_does_not_charge_is_found() {
        let mut fills = vec![
            fill("2024-10-01T10:00", Buy, 100, Entry),
            fill("2024-10-01T10:20", Sell, 102, Target),
        ];
        assert_eq!(misfees(&account(fills.clone()), &flat(2)), Vec::<usize>::new());
        fills[1].fee = Cash(1);
        assert_eq!(misfees(&account(fills), &flat(2)), [1]);
    }
}
