//! What a live run says at its end: one line per fact.

use std::path::Path;

use crate::driver::live::{Lived, TakenUp};
use crate::driver::run::Ended;
use crate::golden::compare::Comparison;
use crate::sinks::summary::Summary;

use super::super::facts;
use super::super::terminal::{self, grouped};
use super::resolve::Life;

/// What is said at the end.
pub struct Report<'a> {
    pub life: &'a Life,
    pub run_dir: &'a Path,
    pub summary: &'a Summary,
    pub lived: &'a Lived,
    pub health: Vec<(&'static str, String)>,
    pub beside: Vec<(&'static str, String)>,
    pub comparison: Option<&'a Comparison>,
    pub seconds: f64,
}

impl Report<'_> {
    /// One line per fact.
    pub fn human(&self) -> String {
        let (summary, seconds) = (self.summary, self.seconds);
        let mut all = vec![("Config", format!("PAPER · {}", facts::config(&self.life.run)))];
        all.extend(self.taken_up());
        all.push((
            "Run",
            format!("{} strategy bars · {seconds:.2} s", grouped(summary.strategy_bars)),
        ));
        all.extend(self.health.iter().cloned());
        all.extend(facts::outcome(summary));
        all.push(("Golden", self.golden()));
        all.extend(self.beside.iter().cloned());
        all.push(("Journal", self.run_dir.display().to_string()));
        all.push(match self.lived.ended {
            Ended::Sealed(sealed) => {
                let records = grouped(sealed.records);
                ("Digest", format!("all events {} · {records} events", sealed.digest.short()))
            }
            Ended::Interrupted { next_seq } => {
                ("Stopped", format!("before input {}", grouped(next_seq)))
            }
        });
        all.iter().map(|(label, fact)| terminal::fact(label, fact)).collect()
    }

    fn taken_up(&self) -> Vec<(&'static str, String)> {
        let Some(TakenUp { next_seq, checkpoint_seq, report }) = &self.lived.taken_up else {
            return Vec::new();
        };
        let core = match checkpoint_seq {
            0 => "core from the first event".to_owned(),
            seq => format!("core from the checkpoint at {}", grouped(*seq)),
        };
        let rewritten = format!("{} batches written anew", grouped(report.rewritten));
        let mut all =
            vec![("Taken up", format!("at input {} · {core} · {rewritten}", grouped(*next_seq)))];
        if let Some(path) = &report.quarantined {
            all.push(("Torn", format!("unfinished bytes copied to {}", path.display())));
        }
        all
    }

    fn golden(&self) -> String {
        match (self.comparison, &self.life.golden) {
            (Some(comparison), Ok(dir)) => {
                let counts: Vec<String> = comparison
                    .counts
                    .iter()
                    .map(|it| {
                        format!(
                            "{} {}/{}",
                            it.table.name(),
                            grouped(it.equal as u64),
                            grouped(it.golden as u64)
                        )
                    })
                    .collect();
                let verdict = comparison.verdict();
                format!("{verdict} · {} · {}", counts.join(" · "), dir.display())
            }
            (None, Ok(_)) => "not compared: the run is not over".to_owned(),
            (_, Err(why)) => format!("not compared: {why}"),
        }
    }
}
