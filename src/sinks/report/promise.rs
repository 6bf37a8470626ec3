//! Paper held against what the backtest promised: profit by day, and over every five sessions in a
//! row, which is what the user's plan decides by.

use std::collections::BTreeMap;

use crate::domain::money::Cash;
use crate::domain::time::Date;

use super::economics::{Economics, Figures};

/// Sessions that the plan looks at together.
pub const SESSIONS: usize = 5;

/// How far paper may be from the backtest, in hundredths of a percent of the backtest's profit.
pub const TOLERANCE: i64 = 1_000;

/// Profit of both sides after the fees that each recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Paper's.
    pub paper: Cash,
    /// The backtest's.
    pub backtest: Cash,
}

impl Pair {
    /// Paper less backtest.
    pub fn difference(self) -> Cash {
        self.paper.minus(self.backtest)
    }

    /// The difference without its sign, in hundredths of a percent of the backtest's profit without
    /// its sign, rounded up; none where the backtest's is 0 and paper's is not.
    pub fn deviation(self) -> Option<i64> {
        let (apart, whole) = (self.difference().0.unsigned_abs(), self.backtest.0.unsigned_abs());
        match (apart, whole) {
            (0, _) => Some(0),
            (_, 0) => None,
            (apart, whole) => {
                let scaled = (u128::from(apart) * 10_000).div_ceil(u128::from(whole));
                Some(i64::try_from(scaled).unwrap_or(i64::MAX))
            }
        }
    }

    /// Whether paper is within the plan's 10 % of the backtest.
    pub fn is_within(self) -> bool {
        self.deviation().is_some_and(|deviation| deviation <= TOLERANCE)
    }

    fn plus(self, other: Pair) -> Pair {
        let paper = self.paper.plus(other.paper);
        Pair { paper, backtest: self.backtest.plus(other.backtest) }
    }
}

/// Five sessions in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
    /// Sums of its days.
    pub net: Pair,
}

/// Paper against the backtest, over the days that both cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Days that both have, ascending.
    pub days: Vec<(Date, Pair)>,
    /// Days between the first and the last of these that only paper has.
    pub only_paper: Vec<Date>,
    /// Days between them that only the backtest has.
    pub only_backtest: Vec<Date>,
    /// Every five of these days in a row, in order. Days that one side lacks are in none, and
    /// nothing reaches over them.
    pub windows: Vec<Window>,
    /// Figures of the days that both have.
    pub paper: Figures,
    /// The same of the backtest.
    pub backtest: Figures,
}

/// What came of the plan's criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every five sessions in a row are within 10 %, and there are five.
    Met,
    /// Some are not, or a day is on one side only.
    Missed,
    /// There are not yet five sessions in a row.
    Open,
}

impl Verdict {
    /// As people and scripts read it.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missed => "MISSED",
            Verdict::Open => "open",
        }
    }
}

impl Promise {
    /// Holds `paper` against `backtest`; none where they have no day in common.
    pub fn of(paper: &Economics, backtest: &Economics) -> Option<Promise> {
        let by_day = |side: &Economics| side.days.iter().cloned().collect::<BTreeMap<_, _>>();
        let (ours, theirs) = (by_day(paper), by_day(backtest));
        let common = |day: &&Date| theirs.contains_key(*day);
        let first = *ours.keys().find(common)?;
        let last = *ours.keys().rfind(common)?;
        let mut promise = Promise {
            days: Vec::new(),
            only_paper: Vec::new(),
            only_backtest: Vec::new(),
            windows: Vec::new(),
            paper: Figures::default(),
            backtest: Figures::default(),
        };
        let mut stretch: Vec<(Date, Pair)> = Vec::new();
        let mut days: Vec<Date> = ours.keys().chain(theirs.keys()).copied().collect();
        days.sort_unstable();
        days.dedup();
        for day in days.into_iter().filter(|day| (first..=last).contains(day)) {
            match (ours.get(&day), theirs.get(&day)) {
                (Some(paper), Some(backtest)) => {
                    let net = Pair { paper: paper.net(), backtest: backtest.net() };
                    promise.days.push((day, net));
                    stretch.push((day, net));
                    promise.windows.extend(window(&stretch));
                    promise.paper.merge(paper);
                    promise.backtest.merge(backtest);
                    continue;
                }
                (Some(_), None) => promise.only_paper.push(day),
                (None, _) => promise.only_backtest.push(day),
            }
            stretch.clear();
        }
        Some(promise)
    }

    /// Both sides over all days.
    pub fn net(&self) -> Pair {
        Pair { paper: self.paper.net(), backtest: self.backtest.net() }
    }

    /// Windows within the plan's 10 %.
    pub fn within(&self) -> usize {
        self.windows.iter().filter(|window| window.net.is_within()).count()
    }

    /// The window that is furthest off, the first of equals.
    pub fn worst(&self) -> Option<&Window> {
        let off = |window: &&Window| window.net.deviation().unwrap_or(i64::MAX);
        let most = self.windows.iter().map(|window| off(&window)).max()?;
        self.windows.iter().find(|window| off(window) == most)
    }

    /// The plan's criterion.
    pub fn verdict(&self) -> Verdict {
        let is_whole = self.only_paper.is_empty() && self.only_backtest.is_empty();
        match (self.windows.len(), self.within()) {
            (all, within) if within < all || !is_whole => Verdict::Missed,
            (0, _) => Verdict::Open,
            _ => Verdict::Met,
        }
    }
}

/// The last five days of a stretch, where it has as many.
fn window(stretch: &[(Date, Pair)]) -> Option<Window> {
    let days = &stretch[stretch.len().checked_sub(SESSIONS)?..];
    let ((first, net), rest) = days.split_first()?;
    let last = days.last()?.0;
    Some(Window {
        first: *first,
        last,
        net: rest.iter().fold(*net, |sum, (_, net)| sum.plus(*net)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::economics::Charges;
    use super::*;

    fn economics(first: &str, profits: &[i64]) -> Economics {
        let first = Date::parse(first).unwrap();
        let day = |(place, rupees): (i32, &i64)| {
            let gross = Cash::from_rupees(*rupees);
            let fees = Charges::default();
            (first.plus_days(place), Figures { trades: 1, gross, fees, ..Figures::default() })
        };
        let days: Vec<_> = (0..).zip(profits).map(day).collect();
        let total = Figures::default();
        Economics { trades: Vec::new(), days, total, open: 0, fills: 0 }
    }

    fn promise(paper: &[i64], backtest: &[i64]) -> Promise {
        Promise::of(&economics("2024-10-07", paper), &economics("2024-10-07", backtest)).unwrap()
    }

    fn pair(paper: i64, backtest: i64) -> Pair {
        Pair { paper: Cash(paper), backtest: Cash(backtest) }
    }

    #[test]
    fn ten_percent_to_the_last_digit() {
        let cases = [
            ((1_100, 1_000), Some(1_000), true),
            ((1_101, 1_000), Some(1_010), false),
            ((900, 1_000), Some(1_000), true),
            ((-1_100, -1_000), Some(1_000), true),
            ((1_000, -1_000), Some(20_000), false),
            ((0, 0), Some(0), true),
            ((1, 0), None, false),
            ((10_000_000_001, 10_000_000_000), Some(1), true),
            ((11_000_000_001, 10_000_000_000), Some(1_001), false),
        ];
        for ((paper, backtest), deviation, is_within) in cases {
            let pair = pair(paper, backtest);
            assert_eq!((pair.deviation(), pair.is_within()), (deviation, is_within), "{pair:?}");
        }
    }

    #[test]
    fn days_that_are_off_may_even_out_over_five() {
        let found = promise(&[50, 150, 100, 100, 100], &[100; 5]);
        assert_eq!(found.days.iter().filter(|(_, net)| net.is_within()).count(), 3);
        assert_eq!((found.windows.len(), found.within()), (1, 1));
        assert_eq!(found.verdict(), Verdict::Met);
    }

    #[test]
    fn every_five_in_a_row_are_looked_at() {
        let found = promise(&[100, 100, 100, 100, 100, 100, 39], &[100; 7]);
        assert_eq!((found.windows.len(), found.within()), (3, 2));
        let worst = found.worst().unwrap();
        assert_eq!(
            (worst.first.to_string(), worst.net.deviation()),
            ("2024-10-09".into(), Some(1_220))
        );
        assert_eq!(found.verdict(), Verdict::Missed);
    }

    #[test]
    fn four_sessions_prove_nothing_yet() {
        assert_eq!(promise(&[100; 4], &[100; 4]).verdict(), Verdict::Open);
    }

    #[test]
    fn nothing_reaches_over_a_day_that_one_side_lacks() {
        let (paper, mut backtest) =
            (economics("2024-10-07", &[100; 8]), economics("2024-10-07", &[100; 8]));
        backtest.days.remove(4);
        let found = Promise::of(&paper, &backtest).unwrap();
        assert_eq!((found.only_paper.len(), found.windows.len()), (1, 0));
        assert_eq!(found.verdict(), Verdict::Missed);
        let swapped = Promise::of(&backtest, &paper).unwrap();
        assert_eq!(swapped.only_backtest.len(), 1);
    }

    #[test]
    fn only_days_that_both_cover_are_compared() {
        let found = Promise::of(
            &economics("2024-10-10", &[100, 100, 100]),
            &economics("2024-10-07", &[900, 100, 100, 100, 100]),
        );
        let found = found.unwrap();
        assert_eq!(found.days.len(), 2);
        assert!(found.only_paper.is_empty() && found.only_backtest.is_empty());
        assert_eq!(found.net().paper, Cash::from_rupees(200));
        let apart = Promise::of(&economics("2024-10-10", &[1]), &economics("2024-11-10", &[1]));
        assert_eq!(apart, None);
    }
}
