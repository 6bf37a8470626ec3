//! `lockstep golden except`: what differs from a golden now, approved up to a day and for a reason.
//! It goes into `exceptions.toml` beside the golden, fact by fact, where people read and prune it.

use std::path::Path;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::domain::time::Date;
use crate::golden::compare::compare;
use crate::golden::ledger::Acceptance;
use crate::golden::{exceptions, store};

use super::{Bench, Edge, failure};

/// Arguments of `lockstep golden except`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExceptArgs {
    /// Name of the case
    #[arg(long, value_name = "CASE")]
    pub case: String,
    /// Why it may differ
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The last day on which it may, such as 2026-12-31
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub until: Date,
    /// Who approves; by default the name of the user
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text).ok_or_else(|| "must be a day such as 2026-12-31".to_owned())
}

/// Runs `lockstep golden except`.
///
/// # Errors
/// When core and oracle disagree (that is a fault, and never approved), in CI, without a reason or
/// a name, or when a file cannot be read or written.
pub(super) fn execute(
    args: &ExceptArgs,
    dir: &Path,
    bench: &dyn Bench,
    edge: &Edge,
) -> Result<(String, Exit), Failure> {
    let words = |error| failure(error, &args.case);
    let by = args.by.clone().or_else(|| edge.user.clone());
    let acceptance = Acceptance::new(edge.today, by, &args.reason, edge.ci.as_deref());
    let acceptance = acceptance.map_err(words)?;
    let (core, oracle) = (bench.core_book(&args.case)?, bench.oracle_book(&args.case)?);
    if !compare(&core, &oracle).map_err(words)?.is_same() {
        return Err(Failure::new(Exit::Differs, "core and oracle disagree")
            .because("what one of them gets wrong is no exception")
            .hint(format!("`lockstep golden review --case {}` shows both", args.case)));
    }
    let golden = store::load(dir).map_err(words)?;
    let found = golden.judge(&core, edge.today).map_err(words)?;
    let inputs = golden.book.inputs.as_deref().zip(core.inputs.as_deref());
    let facts = store::except(dir, &found, inputs, &acceptance, args.until).map_err(words)?;
    let file = dir.join(exceptions::FILE);
    if facts.is_empty() {
        let case = &args.case;
        return Ok((format!("nothing to approve: {case} differs in nothing new\n"), Exit::Same));
    }
    let list: String = facts.iter().map(|fact| format!("   {fact}\n")).collect();
    let (count, until) = (facts.len(), args.until);
    Ok((format!("approved until {until}, in {}: {count}\n{list}", file.display()), Exit::Same))
}
