//! The table: medians, and the ratios of ours to each other's, round by round.

use std::fmt;

use super::subject::Kind;
use super::{Figure, KINDS};

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// A figure's values: for each kind, one of each round.
struct Row {
    line: &'static str,
    what: &'static str,
    better: Better,
    values: Vec<Vec<f64>>,
}

/// All rows, in the order in which they came.
pub struct Table {
    kinds: Vec<&'static str>,
    rows: Vec<Row>,
}

impl Table {
    pub fn new(kinds: &[&'static Kind]) -> Table {
        Table { kinds: kinds.iter().map(|kind| kind.name).collect(), rows: Vec::new() }
    }

    pub fn add(&mut self, line: &'static str, kind: &Kind, figures: Vec<Figure>) {
        let Some(column) = self.kinds.iter().position(|name| *name == kind.name) else { return };
        for Figure { what, better, value } in figures {
            let known = self.rows.iter().position(|row| (row.line, row.what) == (line, what));
            let place = known.unwrap_or_else(|| {
                self.rows.push(Row { line, what, better, values: vec![Vec::new(); self.kinds.len()] });
                self.rows.len() - 1
            });
            self.rows[place].values[column].push(value);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = || self.kinds.iter().enumerate().filter(|(_, name)| **name != KINDS[0].name);
        write!(f, "{:36}", "medians")?;
        for name in &self.kinds {
            write!(f, " {name:>14}")?;
        }
        for (_, name) in others() {
            write!(f, "  {:>16}", format!("to {name}"))?;
        }
        writeln!(f)?;
        let mut line = "";
        for row in &self.rows {
            if row.line != line {
                line = row.line;
                writeln!(f, "{line}")?;
            }
            let better = if row.better == Better::More { '↑' } else { '↓' };
            write!(f, "  {better} {:32}", row.what)?;
            for values in &row.values {
                write!(f, " {:>14}", rounded(median(values)))?;
            }
            for (column, _) in others() {
                let ratios: Vec<f64> =
                    row.values[0].iter().zip(&row.values[column]).map(|(own, other)| own / other).collect();
                match median(&ratios) {
                    ratio if ratio.is_finite() => write!(f, "  {ratio:>14.2} ×")?,
                    // Nothing was measured of the other.
                    _ => write!(f, "  {:>16}", "-")?,
                }
            }
            writeln!(f)?;
        }
        writeln!(f, "↑ more is better, ↓ less is. Ratios are relay's to the other's, the median of the rounds' ratios.")
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Three digits that count.
fn rounded(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
