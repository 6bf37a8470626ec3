//! Findings about single rows: defects, order, duplicates, price grid, volume.

use super::{Finding, Kind};
use crate::domain::fact::Bar;
use crate::domain::instrument::{Instrument, Listing};
use crate::domain::time::Timestamp;

/// Finds defects, rows out of order and duplicates. Returns the sound bars by time, each minute
/// once, the first in the file counting.
pub(super) fn inspect_rows(bars: &[Bar], findings: &mut Vec<Finding>) -> Vec<Bar> {
    let mut latest = Timestamp::MIN;
    let mut sound = Vec::with_capacity(bars.len());
    for (row, bar) in bars.iter().enumerate() {
        if let Some(defect) = bar.defect() {
            let Bar { open, high, low, close, volume, .. } = bar;
            let detail =
                format!("row {row}: {defect}, {open} {high} {low} {close}, volume {volume}");
            findings.push(Finding::at(Kind::Defect, bar.open_time, detail));
        } else {
            sound.push(*bar);
        }
        if bar.open_time < latest {
            let detail = format!("row {row}: after {latest}");
            findings.push(Finding::at(Kind::OutOfOrder, bar.open_time, detail));
        }
        latest = latest.max(bar.open_time);
    }
    sound.sort_by_key(|bar| bar.open_time);
    let mut once: Vec<Bar> = Vec::with_capacity(sound.len());
    for bar in sound {
        match once.last() {
            Some(first) if first.open_time == bar.open_time => {
                let what = if *first == bar { "the same bar again" } else { "another bar" };
                findings.push(Finding::at(Kind::Duplicate, bar.open_time, what));
            }
            _ => once.push(bar),
        }
    }
    once
}

/// Finds prices off the grid of their listing and bars without volume.
pub(super) fn inspect_values(sound: &[Bar], instrument: &Instrument, findings: &mut Vec<Finding>) {
    let listing = |bar: &Bar| instrument.at(bar.open_time.date());
    for bars in sound.chunk_by(|a, b| listing(a) == listing(b)) {
        let Some(listing) = listing(&bars[0]) else { continue };
        let off: Vec<&Bar> = bars.iter().filter(|bar| !is_on_grid(bar, listing)).collect();
        findings.extend(stretch(Kind::OffGrid, &off, |bar| {
            let Bar { open, high, low, close, .. } = bar;
            format!("grid {}; first {open} {high} {low} {close}", listing.tick)
        }));
    }
    let idle: Vec<&Bar> = sound.iter().filter(|bar| bar.volume.0 == 0).collect();
    findings.extend(stretch(Kind::ZeroVolume, &idle, |_| "nothing traded".to_owned()));
}

fn is_on_grid(bar: &Bar, listing: &Listing) -> bool {
    [bar.open, bar.high, bar.low, bar.close].iter().all(|price| price.is_on(listing.tick))
}

/// One finding for all of `bars`, if there are any, in the words that `detail` has for the first.
fn stretch(kind: Kind, bars: &[&Bar], detail: impl Fn(&Bar) -> String) -> Option<Finding> {
    let (first, last) = bars.first().zip(bars.last())?;
    let range = Some((first.open_time, last.open_time));
    Some(Finding { kind, range, count: bars.len(), detail: detail(first) })
}
