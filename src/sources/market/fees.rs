//! Reads the fee schedules.

use serde::Deserialize;
use toml::Spanned;

use super::Doubt;
use super::error::{Fault, MarketError};
use super::text::{Certainty, Day, File, Text};
use crate::domain::config::{FeePeriod, FeeSchedule};
use crate::domain::money::{Cash, Rate};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeesFile {
    version: String,
    schedule: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    period: Vec<Period>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    from: Spanned<Day>,
    brokerage_flat: Text<Cash>,
    brokerage_rate: Text<Rate>,
    stt_buy: Text<Rate>,
    stt_sell: Text<Rate>,
    transaction: Text<Rate>,
    ipft: Text<Rate>,
    sebi: Text<Rate>,
    stamp_buy: Text<Rate>,
    stamp_sell: Text<Rate>,
    gst: Text<Rate>,
    gst_on_ipft: bool,
    gst_on_sebi: bool,
    source: String,
    certainty: Certainty,
}

/// Reads and validates the schedules; entries of certainty C go to `doubts`.
pub(super) fn read(file: File, doubts: &mut Vec<Doubt>) -> Result<Vec<FeeSchedule>, MarketError> {
    let data: FeesFile = file.parse()?;
    let mut schedules = Vec::<FeeSchedule>::new();
    for entry in &data.schedule {
        let name = entry.name.get_ref().clone();
        let at = |fault| file.fault(entry.name.span(), fault);
        if schedules.iter().any(|schedule| schedule.name == name) {
            return Err(at(Fault::DuplicateName { name }));
        }
        let periods: Vec<FeePeriod> = entry.period.iter().map(Period::facts).collect();
        if periods.is_empty() {
            return Err(at(Fault::Nothing { what: "periods" }));
        }
        if !periods.is_sorted_by(|a, b| a.from < b.from) {
            return Err(at(Fault::NotAscending { what: "periods" }));
        }
        for period in entry.period.iter().filter(|period| period.certainty == Certainty::C) {
            let (what, source) = (format!("fee schedule {name}"), period.source.clone());
            doubts.push(Doubt { from: period.from.get_ref().0, what, source });
        }
        schedules.push(FeeSchedule { name, version: data.version.clone(), periods });
    }
    Ok(schedules)
}

impl Period {
    fn facts(&self) -> FeePeriod {
        FeePeriod {
            from: self.from.get_ref().0,
            brokerage_flat: self.brokerage_flat.0,
            brokerage_rate: self.brokerage_rate.0,
            stt_buy: self.stt_buy.0,
            stt_sell: self.stt_sell.0,
            transaction: self.transaction.0,
            ipft: self.ipft.0,
            sebi: self.sebi.0,
            stamp_buy: self.stamp_buy.0,
            stamp_sell: self.stamp_sell.0,
            gst: self.gst.0,
            gst_on_ipft: self.gst_on_ipft,
            gst_on_sebi: self.gst_on_sebi,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Market;
    use super::*;
    use crate::domain::money::{Price, Qty, Side};
    use crate::domain::time::Date;

    /// Charges of the worked example, 100 bought at 450 and sold at 451, in rupees.
    fn round_trip(schedule: &str, on: &str) -> f64 {
        let market = Market::embedded().unwrap();
        let schedule = market.fee_schedule(schedule).unwrap();
        let period = schedule.at(Date::parse(on).unwrap()).unwrap();
        let leg = |side, price| period.charge(side, Price::parse(price).unwrap().times(Qty(100)));
        leg(Side::Buy, "450").plus(leg(Side::Sell, "451")).rupees()
    }

    #[test]
    fn the_worked_example_by_schedule_and_date() {
        for (schedule, on, rupees) in [
            ("nse", "2024-10-01", 63.179),
            ("nse", "2026-11-23", 63.179),
            ("nse", "2024-09-30", 63.445),
            ("nse", "2024-03-31", 63.477),
            ("plan", "2024-10-01", 51.275),
            ("compat", "2024-10-01", 76.202),
        ] {
            let charged = round_trip(schedule, on);
            assert!((charged - rupees).abs() <= 0.001, "{schedule} {on}: {charged}");
        }
    }

    #[test]
    fn a_small_order_pays_a_share_and_not_the_flat_brokerage() {
        let market = Market::embedded().unwrap();
        let period = &market.fee_schedule("nse").unwrap().periods[3];
        let turnover = Cash::from_rupees(10_000);
        // 5.00 brokerage, 0.297 transaction, 0.01 IPFT, 0.01 SEBI, 0.9553 GST, 0.30 stamp.
        assert_eq!(period.charge(Side::Buy, turnover).to_string(), "6.5723");
    }

    #[test]
    fn schedules_without_order_are_refused() {
        let embedded = include_str!("../../../market/fees.toml");
        let reading = |text: &str| {
            let file = File { name: Path::new("f.toml"), text };
            read(file, &mut Vec::new()).unwrap_err().to_string()
        };
        let errors = [
            reading(&embedded.replace("name = \"plan\"", "name = \"nse\"")),
            reading(&embedded.replace("from = 2024-10-01", "from = 2024-04-01")),
            reading("version = \"v\"\nschedule = [{ name = \"x\", period = [] }]"),
        ];
        insta::assert_snapshot!(errors.join("\n"), @r"
        f.toml, line 94: 'nse' is listed twice
        f.toml, line 20: periods do not ascend
        f.toml, line 2: no periods
        ");
        let too_fine = embedded.replace("0.00297 %", "0.002975 %");
        assert!(reading(&too_fine).contains("does not have the form"));
    }
}
