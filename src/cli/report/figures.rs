//! A report's figures as one JSON document. The page is made of the same document, so it cannot
//! show other numbers. Amounts are decimal text in rupees, exact to 1/10,000.

use serde_json::{Value, json};

use crate::domain::fact::OrderReason;
use crate::domain::money::Cash;
use crate::domain::time::Date;
use crate::journal::reader::End;
use crate::sinks::report::economics::{Charges, Economics, Figures, percent};
use crate::sinks::report::promise::{Pair, Promise, Window};

use super::{Against, Reported};

/// The document.
pub(super) fn document(report: &Reported) -> Value {
    let Reported { place, recorded, economics, .. } = report;
    let dates = || economics.days.iter().map(|(date, _)| date.to_string());
    let stop = economics.time_stop(report.time_stop_bars());
    json!({
        "run": {
            "place": place.display().to_string(),
            "run_id": recorded.run_id,
            "digest": recorded.digest,
            "records": recorded.records,
            "sealed": matches!(recorded.end, End::Sealed(_)),
            "lived": recorded.is_lived,
        },
        "from": dates().next(),
        "to": dates().next_back(),
        "sessions": economics.days.len(),
        "day_under_way": recorded.under_way.map(|date| date.to_string()),
        "fills": economics.fills,
        "open_positions": economics.open,
        "total": figures(&economics.total),
        "time_stop": {
            "bars": stop.bars,
            "ended": stop.ended,
            "longest": stop.longest,
            "early": stop.early.len(),
            "late": stop.late.len(),
            "kept": report.keeps_time_stop(),
        },
        "charges": {
            "schedule": recorded.run.config.fees.name,
            "fills": economics.fills,
            "off": report.misfees,
        },
        "against": report.against.as_ref().map(against),
        "days": days(economics),
        "exit": report.exit() as u8,
    })
}

fn figures(figures: &Figures) -> Value {
    let Figures { trades, wins, gross, fees, ended_by } = figures;
    let Charges { recorded, nse, plan } = fees;
    let after = |fees: &Cash| gross.minus(*fees).to_string();
    json!({
        "trades": trades,
        "wins": wins,
        "win_percent": percent(*wins, *trades),
        "target_percent": percent(figures.ended(OrderReason::Target), *trades),
        "stop_percent": percent(figures.ended(OrderReason::Stop), *trades),
        "time_stop_percent": percent(figures.ended(OrderReason::TimeStop), *trades),
        "gross": gross.to_string(),
        "net": figures.net().to_string(),
        "fees": {
            "recorded": recorded.to_string(),
            "nse": nse.to_string(),
            "plan": plan.to_string(),
        },
        "net_under": { "nse": after(nse), "plan": after(plan) },
        "ended_by": ended_by,
    })
}

fn days(economics: &Economics) -> Vec<Value> {
    let mut running = Cash::ZERO;
    let day = |(date, day): &(Date, Figures)| {
        running = running.plus(day.net());
        json!({
            "date": date.to_string(),
            "trades": day.trades,
            "gross": day.gross.to_string(),
            "fees": day.fees.recorded.to_string(),
            "net": day.net().to_string(),
            "running": running.to_string(),
        })
    };
    economics.days.iter().map(day).collect()
}

fn against(against: &Against) -> Value {
    let Against { place, golden, promise } = against;
    let Promise { days, only_paper, only_backtest, windows, .. } = promise;
    let list = |days: &[Date]| days.iter().map(ToString::to_string).collect::<Vec<_>>();
    let dated = |(date, net): &(Date, Pair)| with(pair(*net), &[("date", *date)]);
    json!({
        "place": place.display().to_string(),
        "kind": if golden.is_some() { "golden" } else { "run" },
        "sessions": days.len(),
        "only_paper": list(only_paper),
        "only_backtest": list(only_backtest),
        "net": pair(promise.net()),
        "paper": figures(&promise.paper),
        "backtest": figures(&promise.backtest),
        "verdict": promise.verdict().word(),
        "windows_within": promise.within(),
        "worst": promise.worst().map(window),
        "windows": windows.iter().map(window).collect::<Vec<_>>(),
        "days": days.iter().map(dated).collect::<Vec<_>>(),
    })
}

fn window(window: &Window) -> Value {
    with(pair(window.net), &[("first", window.first), ("last", window.last)])
}

fn pair(pair: Pair) -> Value {
    json!({
        "paper": pair.paper.to_string(),
        "backtest": pair.backtest.to_string(),
        "difference": pair.difference().to_string(),
        "deviation_percent": deviation(pair),
        "within": pair.is_within(),
    })
}

/// The deviation in percent with two decimals, rounded up; none where the backtest's profit is 0.
pub(super) fn deviation(pair: Pair) -> Option<String> {
    pair.deviation().map(|hundredths| format!("{}.{:02}", hundredths / 100, hundredths % 100))
}

fn with(mut value: Value, dates: &[(&str, Date)]) -> Value {
    if let Value::Object(fields) = &mut value {
        let dates = dates.iter().map(|(name, date)| ((*name).to_owned(), json!(date.to_string())));
        fields.extend(dates);
    }
    value
}
