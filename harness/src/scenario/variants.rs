//! `exclude` and `include` of a matrix: combinations that are left out, and cases besides.
//!
//! As in CI workflow files, `exclude` comes first, so `include` can bring a case back.

use super::cursor::Value;
use super::matrix::{Choice, Dimension, MatrixKeys, products};
use super::suggest;

/// What a matrix has besides its dimensions.
#[derive(Default)]
pub(super) struct Variants {
    /// Of each dimension the values of which one must be chosen; any, if it has none.
    excluded: Vec<Vec<Vec<String>>>,
    /// A choice of each dimension.
    pub included: Vec<Vec<Choice>>,
}

impl Variants {
    /// Whether a key is no dimension.
    pub fn is_key(name: &str) -> bool {
        MatrixKeys::TABLE.iter().any(|key| key.name == name)
    }

    /// Reads both; errors in dimensions make them keep silent.
    pub fn decode(rules: &[(&str, Value<'_>)], dimensions: &[Dimension]) -> Self {
        let mut variants = Self::default();
        if dimensions.iter().any(|dimension| dimension.choices.is_empty()) {
            return variants;
        }
        let of = |wanted: &str| {
            let rule = rules.iter().find(|(key, _)| *key == wanted);
            rule.and_then(|(_, value)| value.items()).unwrap_or_default()
        };
        for item in of(MatrixKeys::EXCLUDE.name) {
            let before = products(dimensions).into_iter().filter(|choices| !variants.exclude(choices)).count();
            let Some(excluded) = excluded(&item, dimensions) else { continue };
            variants.excluded.push(excluded);
            if products(dimensions).into_iter().filter(|choices| !variants.exclude(choices)).count() == before {
                item.error("this excludes no case that is still there");
            }
        }
        for item in of(MatrixKeys::INCLUDE.name) {
            let Some(choices) = included(&item, dimensions) else { continue };
            let names = |choices: &[Choice]| choices.iter().map(|choice| choice.name.clone()).collect::<Vec<_>>();
            let there = products(dimensions).into_iter().filter(|choices| !variants.exclude(choices));
            let same = |other: Vec<Option<&Choice>>| {
                other.iter().zip(&choices).all(|(one, other)| one.is_some_and(|one| one.name == other.name))
            };
            if there.into_iter().any(same) || variants.included.iter().any(|other| names(other) == names(&choices)) {
                item.error("this case is in the matrix already");
            } else {
                variants.included.push(choices);
            }
        }
        variants
    }

    /// Whether a combination is left out.
    pub fn exclude(&self, choices: &[Option<&Choice>]) -> bool {
        let fits = |names: &Vec<String>, choice: &Option<&Choice>| {
            names.is_empty() || choice.is_some_and(|choice| names.contains(&choice.name))
        };
        self.excluded.iter().any(|names| names.iter().zip(choices).all(|(names, choice)| fits(names, choice)))
    }
}

/// `{ proxy: relay, length: [full, short] }`: of each dimension the values that it names.
fn excluded(item: &Value<'_>, dimensions: &[Dimension]) -> Option<Vec<Vec<String>>> {
    let named = named(item, dimensions)?;
    let mut names = vec![Vec::new(); dimensions.len()];
    for (index, value) in named {
        for word in value.one_or_more()? {
            names[index].push(known(&word, &dimensions[index])?.name.clone());
        }
    }
    Some(names)
}

/// `{ proxy: nginx, length: short }`: a value of each dimension, which of a list may be another word.
fn included(item: &Value<'_>, dimensions: &[Dimension]) -> Option<Vec<Choice>> {
    let named = named(item, dimensions)?;
    let mut choices = Vec::new();
    for (index, dimension) in dimensions.iter().enumerate() {
        let Some((_, value)) = named.iter().find(|(of, _)| *of == index) else {
            item.error(format!(
                "a case that is included has a value of each dimension, and this has no `{}`",
                dimension.name
            ));
            return None;
        };
        let is_list = dimension.choices.iter().all(|choice| choice.bundle.is_empty());
        let word = value.scalar("a value of the dimension")?;
        choices.push(if is_list {
            super::matrix::check_choice(word, value.span(), value);
            Choice { name: word.to_owned(), bundle: Vec::new() }
        } else {
            known(value, dimension)?.clone()
        });
    }
    Some(choices)
}

/// The dimensions that an item names, by index.
fn named<'a>(item: &Value<'a>, dimensions: &[Dimension]) -> Option<Vec<(usize, Value<'a>)>> {
    let mut named = Vec::new();
    let mut fit = true;
    for (name, value) in item.entries()? {
        match dimensions.iter().position(|dimension| dimension.name == name) {
            Some(index) => named.push((index, value)),
            None => {
                let names: Vec<_> = dimensions.iter().map(|dimension| dimension.name.as_str()).collect();
                let (message, help) = suggest::unknown("matrix dimension", name, "dimensions", &names);
                value.context().report(value.key_error(message).help(help));
                fit = false;
            }
        }
    }
    fit.then_some(named)
}

fn known<'d>(value: &Value<'_>, dimension: &'d Dimension) -> Option<&'d Choice> {
    let word = value.scalar("a value of the dimension")?;
    let found = dimension.choices.iter().find(|choice| choice.name == word);
    if found.is_none() {
        let names: Vec<_> = dimension.choices.iter().map(|choice| choice.name.as_str()).collect();
        let (message, help) = suggest::unknown(&format!("value of `{}`", dimension.name), word, "values", &names);
        value.error_with_help(message, help);
    }
    found
}
