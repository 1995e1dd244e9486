//! From what each rule says of an endpoint to one ruling.
//!
//! A rule never says "it was me": it says what speaks for it and what *excludes* it. A ruling names the one mechanism that
//! nothing excludes. So a source that is taken away can only make more mechanisms possible, and never another one certain: the
//! true one is never excluded (that is what makes a rule right), and it stays in the list.

use crate::evidence::{Moment, Source, Span};

use super::mechanisms::Mechanism;
use super::scene::Scene;

/// One reason, from one kind of source.
#[derive(Clone, Debug, PartialEq)]
pub struct Clue {
    /// Which.
    pub source: Source,
    /// What it says, as a sentence for people.
    pub text: String,
    /// A mechanism that is switched off, or belongs to another kind of node, needs no second witness.
    pub decisive: bool,
}

/// When a timer should have fired, by the settings in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// What it is counted from, as people say it.
    pub what: String,
    /// The moment it is counted from.
    pub since: Moment,
    /// How long after that it fires, nominally.
    pub nominal: Span,
    /// The earliest and latest it can be seen to fire, counted from `since`.
    pub window: (Span, Span),
    /// How the number comes about: `110 s + 3 × 30 s`.
    pub sum: String,
}

impl Due {
    /// Whether firing at `at` is within the window.
    #[must_use]
    pub fn allows(&self, at: Moment) -> bool {
        let elapsed = at.since(self.since);
        elapsed >= self.window.0 && elapsed <= self.window.1
    }
}

/// What a rule says of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// What speaks for the mechanism.
    pub supports: Vec<Clue>,
    /// What excludes it.
    pub excludes: Vec<Clue>,
    /// When its timer fires, if it has one that runs.
    pub due: Option<Due>,
    /// When it struck, if that is not when this endpoint was closed.
    pub struck: Option<Moment>,
    /// The node at which it acted, if that is not this endpoint's.
    pub by: Option<String>,
}

impl Judgement {
    /// The mechanism cannot act at this kind of endpoint.
    #[must_use]
    pub fn inapplicable(why: &str) -> Judgement {
        let mut judgement = Judgement::default();
        judgement.exclude_alone(Source::Timeline, why);
        judgement
    }

    /// A fact that speaks for it.
    pub fn support(&mut self, source: Source, text: impl Into<String>) {
        self.supports.push(Clue { source, text: text.into(), decisive: false });
    }

    /// A fact that excludes it.
    pub fn exclude(&mut self, source: Source, text: impl Into<String>) {
        self.excludes.push(Clue { source, text: text.into(), decisive: false });
    }

    /// A fact that excludes it and needs no second witness: it is switched off.
    pub fn exclude_alone(&mut self, source: Source, text: impl Into<String>) {
        self.excludes.push(Clue { source, text: text.into(), decisive: true });
    }
}

/// What became of all rules for one endpoint.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Mechanisms that nothing excludes.
    pub possible: Vec<Mechanism>,
    /// Every rule's word.
    pub judgements: Vec<(Mechanism, Judgement)>,
}

/// How sure a decision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// One mechanism.
    One(Mechanism),
    /// Several that something speaks for.
    Ambiguous,
    /// Nothing speaks for any, or the facts exclude all.
    Unknown,
}

impl Decision {
    /// Lets every rule of a list judge an endpoint.
    #[must_use]
    pub fn of(scene: &Scene<'_>, mechanisms: impl Iterator<Item = Mechanism>) -> Decision {
        let judgements: Vec<_> = mechanisms.map(|m| (m, (m.entry().judge)(scene))).collect();
        let possible = judgements.iter().filter(|(_, j)| j.excludes.is_empty()).map(|(m, _)| *m).collect();
        Decision { possible, judgements }
    }

    /// The ruling.
    #[must_use]
    pub fn ruling(&self) -> Ruling {
        let supported = |m: &Mechanism| self.judgement(*m).is_some_and(|j| !j.supports.is_empty());
        match self.possible.as_slice() {
            [only] if supported(only) => Ruling::One(*only),
            several if several.iter().any(supported) => Ruling::Ambiguous,
            _ => Ruling::Unknown,
        }
    }

    /// A rule's word.
    #[must_use]
    pub fn judgement(&self, mechanism: Mechanism) -> Option<&Judgement> {
        self.judgements.iter().find(|(m, _)| *m == mechanism).map(|(_, judgement)| judgement)
    }

    /// Whether two kinds of source speak for the one mechanism, and each other one is switched off or excluded by two kinds.
    #[must_use]
    pub fn firm(&self) -> bool {
        let Ruling::One(winner) = self.ruling() else { return false };
        let kinds = |clues: &[Clue]| {
            let mut kinds: Vec<_> = clues.iter().map(|clue| clue.source).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds.len()
        };
        self.judgements.iter().all(|(mechanism, judgement)| {
            if *mechanism == winner {
                return kinds(&judgement.supports) >= 2;
            }
            judgement.excludes.iter().any(|clue| clue.decisive) || kinds(&judgement.excludes) >= 2
        })
    }

    /// Why the decision is not firm, for those who want to know.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        for (mechanism, judgement) in &self.judgements {
            let name = mechanism.entry().name;
            if judgement.excludes.is_empty() {
                let why = judgement.supports.iter().map(|clue| clue.text.as_str()).collect::<Vec<_>>().join("; ");
                doubts.push(format!("{name} is possible{}{why}", if why.is_empty() { "" } else { ": " }));
            } else if !judgement.excludes.iter().any(|clue| clue.decisive) {
                let first = judgement.excludes[0].source;
                if judgement.excludes.iter().all(|clue| clue.source == first) {
                    doubts.push(format!(
                        "{name} is excluded only by the {}: {}",
                        first.name(),
                        judgement.excludes[0].text
                    ));
                }
            }
        }
        doubts
    }
}
