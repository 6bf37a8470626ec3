//! Two runs held against each other, every difference with the one part of their worlds that makes
//! it: live is run again with that part as the golden had it, and the difference is gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::time::Timestamp;
use crate::golden::align::class::{Class, Piece};
use crate::golden::align::{Alignment, Given};
use crate::golden::book::Book;
use crate::golden::compare::{Comparison, Difference, compare};
use crate::golden::error::Error;
use crate::golden::table::TableKind;

use super::pieces;
use super::trials::{Lived, Trials};
use super::world::{Told, World};

/// The setting that is many rules.
const PROFILE: &str = "strategy.profile";

/// What made a difference of two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// Its kind.
    pub class: Class,
    /// The part that removes the difference when live takes it from the golden, last. Where several
    /// causes lie on top of each other those before it have to be taken too. None where it is
    /// unexplained.
    pub witness: Vec<Piece>,
}

impl Cause {
    /// The witness in words; `-` where there is none.
    pub fn words(&self) -> String {
        match &self.witness[..] {
            [] => "-".to_owned(),
            [one] => one.to_string(),
            [_, last] => format!("{last}, with 1 change before it"),
            [before @ .., last] => format!("{last}, with {} changes before it", before.len()),
        }
    }
}

/// Everything in which two runs part, each with what makes it.
pub struct Explanation {
    /// How they differ.
    pub comparison: Comparison,
    /// The cause of each difference, in their order.
    pub causes: Vec<Cause>,
    /// Differences that are gone once more when their witness is made again.
    pub gone: usize,
    /// Where signals differ by the profile: how many of them one rule of the profile makes alone,
    /// by the class of that rule, and how many several of its rules make together.
    pub profile: Option<BTreeMap<&'static str, usize>>,
}

impl Explanation {
    /// Every difference with its cause, in the order of time.
    pub fn all(&self) -> impl Iterator<Item = (&Difference, &Cause)> {
        self.comparison.differences.iter().zip(&self.causes)
    }

    /// The same in the order in which people ask: what was signalled and traded comes first, since
    /// bars follow from minutes.
    pub fn as_asked(&self) -> impl Iterator<Item = (&Difference, &Cause)> {
        let of = |is_bar: bool| {
            self.all().filter(move |(it, _)| (it.table == TableKind::Bars) == is_bar)
        };
        of(false).chain(of(true))
    }

    /// How many differences each class has; the unexplained in any case.
    pub fn classes(&self) -> BTreeMap<Class, usize> {
        let mut classes = BTreeMap::from([(Class::Unexplained, 0)]);
        for cause in &self.causes {
            *classes.entry(cause.class).or_default() += 1;
        }
        classes
    }

    /// Which rules of the profile make how many signals. The witness changes it as a whole.
    pub fn profile_words(&self) -> Option<String> {
        let rules = self.profile.as_ref()?;
        let all: usize = rules.values().sum();
        let counts: Vec<String> =
            rules.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
        let counts = counts.join(" · ");
        Some(format!(
            "is one setting of many rules; of {all} signals that come, go or have other levels: \
             {counts}"
        ))
    }

    /// How many differences have a witness.
    pub fn witnessed(&self) -> usize {
        self.causes.iter().filter(|cause| !cause.witness.is_empty()).count()
    }
}

/// Why two runs cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    /// They trade other symbols.
    #[error(transparent)]
    Symbols(#[from] pieces::OtherSymbols),
    /// They cannot be compared.
    #[error(transparent)]
    Compare(#[from] Error),
}

/// Two runs, and how they differ.
pub struct Runs<'a> {
    golden: (&'a World, &'a Book),
    live: &'a World,
    /// How they differ.
    pub comparison: Comparison,
    /// Where they differ once live's minutes come in time, if that is another thing.
    in_time: Option<Places>,
    pieces: Vec<(Class, Piece)>,
}

/// Where two books differ: table and identity of a row.
type Places = BTreeSet<Vec<String>>;

impl<'a> Runs<'a> {
    /// Compares what two runs said, and takes their worlds apart.
    ///
    /// # Errors
    /// See [`RunsError`].
    pub fn new(
        golden: (&'a World, &'a Book),
        live: (&'a World, &Told),
    ) -> Result<Runs<'a>, RunsError> {
        let comparison = compare(golden.1, &live.1.book)?;
        let pieces = pieces::between(golden.0, live.0)?;
        let mut runs = Runs { golden, live: live.0, comparison, in_time: None, pieces };
        let again = live.0.ask().book;
        if !compare(&live.1.book, &again)?.is_same() {
            runs.in_time = Some(runs.places(&again)?);
        }
        Ok(runs)
    }

    /// The cause of each difference, in their order.
    ///
    /// # Errors
    /// When a book cannot be compared.
    pub fn explain(&self) -> Result<Vec<Cause>, Error> {
        let all: Places = self.comparison.differences.iter().map(address).collect();
        let mut causes: BTreeMap<&Vec<String>, Cause> = BTreeMap::new();
        if let Some(left) = &self.in_time {
            for address in all.iter().filter(|address| !left.contains(*address)) {
                let cause = Cause { class: Class::DataGap, witness: vec![Piece::InTime] };
                causes.insert(address, cause);
            }
        }
        let mut trials = Vec::new();
        for (class, piece) in &self.pieces {
            trials.push((*class, piece, self.left_without(std::slice::from_ref(piece))?));
        }
        // One cause of many is likelier than as many accidents.
        trials.sort_by_key(|(_, _, left)| all.intersection(left).count());
        for (class, piece, left) in &trials {
            for address in all.iter().filter(|address| !left.contains(*address)) {
                let cause = || Cause { class: *class, witness: vec![(*piece).clone()] };
                causes.entry(address).or_insert_with(cause);
            }
        }
        self.explain_layers(&all, &mut causes)?;
        let unexplained = Cause { class: Class::Unexplained, witness: Vec::new() };
        let cause = |one| causes.get(&address(one)).unwrap_or(&unexplained).clone();
        Ok(self.comparison.differences.iter().map(cause).collect())
    }

    /// Causes on top of each other: the parts are taken one after the other, and what is gone with
    /// one of them is laid to it.
    fn explain_layers<'b>(
        &self,
        all: &'b Places,
        causes: &mut BTreeMap<&'b Vec<String>, Cause>,
    ) -> Result<(), Error> {
        for count in 2..=self.pieces.len() {
            if causes.len() == all.len() {
                return Ok(());
            }
            let taken: Vec<Piece> =
                self.pieces[..count].iter().map(|(_, piece)| piece.clone()).collect();
            let left = self.left_without(&taken)?;
            let class = self.pieces[count - 1].0;
            for address in all.iter().filter(|address| !left.contains(*address)) {
                let cause = || Cause { class, witness: taken.clone() };
                causes.entry(address).or_insert_with(cause);
            }
        }
        Ok(())
    }

    /// Runs live again with what each witness names, once for all differences that have the same,
    /// and says how many differences are gone. `causes` are those of the differences, in their
    /// order.
    ///
    /// # Errors
    /// When a book cannot be compared.
    pub fn made_again(&self, causes: &[Cause]) -> Result<usize, Error> {
        let mut groups: Vec<(&Cause, Vec<&Difference>)> = Vec::new();
        for (cause, difference) in causes.iter().zip(&self.comparison.differences) {
            match groups.iter_mut().find(|(other, _)| *other == cause) {
                Some((_, differences)) => differences.push(difference),
                None => groups.push((cause, vec![difference])),
            }
        }
        let mut gone = 0;
        for (cause, differences) in groups.iter().filter(|(cause, _)| !cause.witness.is_empty()) {
            let left = self.left_without(&cause.witness)?;
            gone += differences.iter().filter(|one| !left.contains(&address(one))).count();
        }
        Ok(gone)
    }

    /// Every difference with its cause, and each witness made again.
    ///
    /// # Errors
    /// When a book cannot be compared.
    pub fn explanation(self) -> Result<Explanation, Error> {
        let causes = self.explain()?;
        let gone = self.made_again(&causes)?;
        let profile = self.rules_of_profile(&causes);
        Ok(Explanation { comparison: self.comparison, causes, gone, profile })
    }

    /// A profile is one setting and many rules. The signals that differ by it are asked about once
    /// more, with one rule of live changed at a time.
    fn rules_of_profile(&self, causes: &[Cause]) -> Option<BTreeMap<&'static str, usize>> {
        let is_by_profile = |cause: &Cause| match cause.witness.last() {
            Some(Piece::Setting(name, _)) => name == PROFILE,
            _ => false,
        };
        let all = self.comparison.differences.iter().zip(causes);
        let rows = all
            .filter(|(one, cause)| one.table == TableKind::Signals && is_by_profile(cause))
            .map(|(one, _)| (one.key.as_str(), one.time));
        let rows: BTreeSet<(&str, Timestamp)> = rows.collect();
        if rows.is_empty() {
            return None;
        }
        let given: Vec<Given> = self.golden.0.ask().signals.iter().map(Given::of).collect();
        let (ground, live) = (self.live.ground(), self.live.ask().signals);
        let profile = self.live.run.config.strategy.profile;
        let lived = Lived { profile, signals: &live, pieces: Vec::new() };
        let found = Trials::new(&ground, &lived, &given).explain(&Alignment::of(&given, &live));
        let mut rules = BTreeMap::new();
        for one in found {
            let instrument = &self.live.run.instruments[one.difference.instrument.index()];
            if rows.contains(&(instrument.key.as_str(), one.difference.bar_time)) {
                *rules.entry(rule_word(one.class)).or_default() += 1;
            }
        }
        Some(rules)
    }

    /// Where live still differs once it has these parts of the golden's world.
    fn left_without(&self, taken: &[Piece]) -> Result<Places, Error> {
        let mut world = self.live.clone();
        for piece in taken {
            world = pieces::taken(self.golden.0, &world, piece);
        }
        self.places(&world.ask().book)
    }

    fn places(&self, book: &Book) -> Result<Places, Error> {
        Ok(compare(self.golden.1, book)?.differences.iter().map(address).collect())
    }
}

/// The rule of a profile that makes a difference of this class. Where no rule alone does, a trial
/// may still find an accident, such as an unfinished bar with the same signal.
const fn rule_word(class: Class) -> &'static str {
    match class {
        Class::LookAhead
        | Class::SwingRule
        | Class::WindowLength
        | Class::WarmUp
        | Class::Cooldown => class.word(),
        _ => "several rules together",
    }
}

/// What a row that differs is about.
fn address(difference: &Difference) -> Vec<String> {
    let table = difference.table;
    let columns = table.identity().iter().filter_map(|name| table.column(name));
    let cell = |column: usize| difference.cells.get(column).unwrap_or_default().to_owned();
    [table.name().to_owned()].into_iter().chain(columns.map(cell)).collect()
}
