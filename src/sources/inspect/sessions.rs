//! Findings about trading days: what is missing, what is outside, what jumped overnight.

use super::{Finding, Kind};
use crate::domain::fact::Bar;
use crate::domain::instrument::Instrument;
use crate::domain::money::Price;
use crate::domain::session::Session;
use crate::domain::time::{Date, MINUTE_US, Timestamp, Window};

/// A step from close to open of this share or more is remarkable, in percent.
const STEP_PERCENT: i64 = 20;
/// How near a step must come to a ratio to be named after it.
const RATIO_TOLERANCE: f64 = 0.05;
/// What splits and bonuses make of a price, new shares for old, as numerator and denominator.
const RATIOS: [(u32, u32); 14] = [
    (1, 20),
    (1, 10),
    (1, 8),
    (1, 6),
    (1, 5),
    (1, 4),
    (1, 3),
    (2, 5),
    (1, 2),
    (2, 3),
    (2, 1),
    (3, 1),
    (5, 1),
    (10, 1),
];

/// Finds missing days and minutes, bars outside the hours, and overnight steps. `sound` holds each
/// minute once, by time.
pub(super) fn inspect_sessions(
    sound: &[Bar],
    sessions: &[Session],
    instrument: &Instrument,
    findings: &mut Vec<Finding>,
) {
    // A key without listings is unknown, not unlisted.
    let is_listed = |date: Date| instrument.listings.is_empty() || instrument.at(date).is_some();
    let mut missing: Vec<&Session> = Vec::new();
    let mut last_close: Option<Price> = None;
    for session in sessions.iter().filter(|session| is_listed(session.date)) {
        let windows = session.windows_of(instrument);
        let bars: Vec<&Bar> = of_day(sound, session.date)
            .iter()
            .filter(|bar| windows.iter().any(|window| window.contains(bar.open_time)))
            .collect();
        let Some((first, last)) = bars.first().zip(bars.last()) else {
            missing.push(session);
            continue;
        };
        findings.extend(missing_stretch(&missing, instrument));
        missing.clear();
        windows.iter().for_each(|window| find_gaps(&bars, window, findings));
        findings.extend(last_close.and_then(|close| overnight_step(close, first)));
        last_close = Some(last.close);
    }
    findings.extend(missing_stretch(&missing, instrument));
    find_strays(sound, sessions, instrument, findings);
}

/// The bars of one day.
fn of_day(sound: &[Bar], date: Date) -> &[Bar] {
    let from = sound.partition_point(|bar| bar.open_time < date.start());
    let to = sound.partition_point(|bar| bar.open_time < date.plus_days(1).start());
    &sound[from..to]
}

/// One finding for sessions in a row that have no bar.
fn missing_stretch(missing: &[&Session], instrument: &Instrument) -> Option<Finding> {
    let (first, last) = missing.first().zip(missing.last())?;
    let open = first.windows_of(instrument).first()?.open;
    let close = last.windows_of(instrument).last()?.close;
    let detail = match missing.len() {
        1 => format!("no bar on {}", first.date),
        _ => format!("no bar from {} to {}", first.date, last.date),
    };
    let range = Some((open, close.plus_minutes(-1)));
    Some(Finding { kind: Kind::MissingSession, range, count: missing.len(), detail })
}

/// Stretches of minutes of a window that have no bar.
fn find_gaps(bars: &[&Bar], window: &Window, findings: &mut Vec<Finding>) {
    let mut expected = window.open;
    let inside = bars.iter().map(|bar| bar.open_time).filter(|time| window.contains(*time));
    for time in inside.chain([window.close]) {
        if expected < time {
            let count = ((time.0 - expected.0) / MINUTE_US) as usize;
            let last = time.plus_minutes(-1);
            let detail = match count {
                1 => format!("no bar at {}", clock(expected)),
                _ => format!("no bar from {} to {}", clock(expected), clock(last)),
            };
            findings.push(Finding {
                kind: Kind::Gap,
                range: Some((expected, last)),
                count,
                detail,
            });
        }
        expected = time.plus_minutes(1);
    }
}

/// `09:15`.
fn clock(time: Timestamp) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// A note when the day opens far from the last close, with the ratio that it looks like.
fn overnight_step(close: Price, first: &Bar) -> Option<Finding> {
    let step = i128::from(first.open.0) - i128::from(close.0);
    if step.abs() * 100 < i128::from(STEP_PERCENT) * i128::from(close.0) {
        return None;
    }
    let factor = first.open.rupees() / close.rupees();
    let distance =
        |&(up, down): &(u32, u32)| (factor * f64::from(down) / f64::from(up) - 1.0).abs();
    let nearest = RATIOS.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let looks = match nearest.filter(|ratio| distance(ratio) <= RATIO_TOLERANCE) {
        Some((up, down)) => format!("like {up}/{down}, a split or bonus"),
        None => "like no simple ratio, perhaps a demerger or news".to_owned(),
    };
    let detail = format!("open {} after close {close}: x {factor:.3}, {looks}", first.open);
    Some(Finding::at(Kind::OvernightStep, first.open_time, detail))
}

/// Bars outside the hours of trading, one finding for each day.
fn find_strays(
    sound: &[Bar],
    sessions: &[Session],
    instrument: &Instrument,
    findings: &mut Vec<Finding>,
) {
    for day in sound.chunk_by(|a, b| a.open_time.date() == b.open_time.date()) {
        let date = day[0].open_time.date();
        let session = sessions.binary_search_by_key(&date, |session| session.date).ok();
        let windows = session.map_or(&[][..], |at| sessions[at].windows_of(instrument));
        let strays: Vec<Timestamp> = day
            .iter()
            .map(|bar| bar.open_time)
            .filter(|time| !windows.iter().any(|window| window.contains(*time)))
            .collect();
        let Some((&first, &last)) = strays.first().zip(strays.last()) else { continue };
        let before = |time: &&Timestamp| windows.first().is_some_and(|w| **time < w.open);
        let after = |time: &&Timestamp| windows.last().is_some_and(|w| **time >= w.close);
        let early = strays.iter().filter(before).count();
        let late = strays.iter().filter(after).count();
        let detail = match (windows, early, late) {
            ([], ..) => "no trading on that day".to_owned(),
            (_, 0, late) if late == strays.len() => "after the close".to_owned(),
            (_, early, 0) if early == strays.len() => "before the open".to_owned(),
            _ => format!(
                "before the open: {early}, between: {}, after the close: {late}",
                strays.len() - early - late
            ),
        };
        let (kind, range) = (Kind::OutsideSession, Some((first, last)));
        findings.push(Finding { kind, range, count: strays.len(), detail });
    }
}
