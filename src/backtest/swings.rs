//! Where a swing point is. Three rules that differ in what they know: one waits until the bars on
//! either side are there (rules 3), one looks at them before they are (rules 8), one does without.
//!
//! All work on highs; the lowest low is the highest of the lows turned around.

/// A rule: the level of the last swing high at each bar, from all highs and the period.
pub type SwingRule = fn(&[i64], usize) -> Vec<Option<i64>>;

/// Known from the bar on at which the last of the `period` bars after it is there.
pub fn confirmed(highs: &[i64], period: usize) -> Vec<Option<i64>> {
    let mut last = None;
    (0..highs.len())
        .map(|i| {
            if i >= period {
                last = centred(highs, i - period, period, i).or(last);
            }
            last
        })
        .collect()
}

/// Known at the swing point itself: reads `period` bars ahead. Bars that lack as many before or
/// after them are none.
pub fn foreseen(highs: &[i64], period: usize) -> Vec<Option<i64>> {
    let mut last = None;
    (0..highs.len())
        .map(|i| {
            last = centred(highs, i, period, highs.len() - 1).or(last);
            last
        })
        .collect()
}

/// The high of bar `i` if none of the `period` bars on either side exceeds it. All of them must be
/// there, the last of them at or before `newest`.
fn centred(highs: &[i64], i: usize, period: usize, newest: usize) -> Option<i64> {
    let is_there = i >= period && i + period <= newest;
    let is_swing = || highs[i - period..=i + period].iter().all(|&neighbour| neighbour <= highs[i]);
    (is_there && is_swing()).then(|| highs[i])
}

/// Known at the last bar only: the nearest bar before it that is the highest of its surroundings as
/// far as they are there. The last bar counts as a neighbour and is never the answer.
pub fn truncated_at_last(highs: &[i64], period: usize) -> Vec<Option<i64>> {
    let mut column = vec![None; highs.len()];
    if let Some(last) = column.last_mut() {
        *last = truncated(highs, period);
    }
    column
}

/// Walks back from the bar before the last one down to `period + 1`.
fn truncated(highs: &[i64], period: usize) -> Option<i64> {
    let current = highs.len() - 1;
    let is_swing = |&i: &usize| {
        let end = current.min(i + period);
        highs[i - period..=end].iter().all(|&neighbour| neighbour <= highs[i])
    };
    (period + 1..current).rev().find(is_swing).map(|i| highs[i])
}

/// The same rule at bar `current` if the bars after it were there: they count as neighbours, and
/// the current bar may be a swing itself.
pub fn truncated_at(highs: &[i64], current: usize, period: usize) -> Option<i64> {
    let is_swing = |&i: &usize| {
        let end = (highs.len() - 1).min(i + period);
        highs[i - period..=end].iter().all(|&neighbour| neighbour <= highs[i])
    };
    (period + 1..=current).rev().find(is_swing).map(|i| highs[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hill of nine bars that peaks at bars 4 and 5 with the same high, then a higher bar.
    const HILL: [i64; 10] = [1, 2, 3, 4, 5, 5, 4, 3, 2, 9];

    fn text(column: &[Option<i64>]) -> String {
        column.iter().map(|high| high.map_or("-".to_owned(), |high| high.to_string())).collect()
    }

    /// The truncated rule at one bar after the other.
    fn at_each(highs: &[i64], period: usize) -> Vec<Option<i64>> {
        (0..highs.len()).map(|current| truncated(&highs[..=current], period)).collect()
    }

    #[test]
    fn three_rules_know_a_swing_at_three_times() {
        assert_eq!(text(&foreseen(&HILL, 3)), "----555555");
        assert_eq!(text(&confirmed(&HILL, 3)), "-------555");
        // Bar 4 is found at bar 5 already; the new high at bar 9 is too far off to block bar 5.
        assert_eq!(text(&at_each(&HILL, 3)), "-----55555");
    }

    #[test]
    fn of_two_equal_highs_each_is_a_swing() {
        let twins = [1, 1, 7, 1, 7, 1, 1];
        assert_eq!(text(&foreseen(&twins, 2)), "--77777");
        assert_eq!(text(&confirmed(&twins, 2)), "----777");
        // With the second one a unit higher, the first is none for who waits.
        let second = [1, 1, 7, 1, 8, 1, 1];
        assert_eq!(text(&foreseen(&second, 2)), "----888");
        assert_eq!(text(&confirmed(&second, 2)), "------8");
    }

    #[test]
    fn the_last_bars_of_the_data_are_never_foreseen() {
        let mut highs: Vec<i64> = vec![1; 20];
        for peak in 15..20 {
            highs.fill(1);
            highs[peak] = 5;
            assert!(!foreseen(&highs, 5).contains(&Some(5)), "bar {peak} of 20");
        }
        highs.fill(1);
        highs[14] = 5;
        assert_eq!(foreseen(&highs, 5)[14], Some(5));
    }

    #[test]
    fn a_bar_at_hand_blocks_older_swings_that_it_reaches() {
        // At bar 8 the window of bar 6 holds bar 8, which is higher: bar 2 is too far back to start
        // from (below period + 1), so there is nothing.
        let highs = [1, 1, 7, 1, 1, 1, 6, 1, 8];
        assert_eq!(truncated(&highs, 2), None);
        let highs = [1, 1, 1, 7, 1, 1, 6, 1, 8];
        assert_eq!(truncated(&highs, 2), Some(7));
        assert_eq!(truncated_at_last(&highs, 2), [[None; 8].as_slice(), &[Some(7)]].concat());
    }

    #[test]
    fn no_bars_no_swings() {
        for rule in [confirmed, foreseen, truncated_at_last] {
            assert_eq!(rule(&[], 5), []);
        }
    }
}
