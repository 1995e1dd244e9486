//! `whyclosed list [PATH…]`

use std::path::PathBuf;

use anstyle::Style;

use super::{PASSED, check};
use crate::clock::readable;
use crate::needs::{self, Needs};

const STRONG: Style = Style::new().bold();

/// What is to be listed.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Scenario files, or folders of them
    #[arg(default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// List only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
}

/// Lists cases: how long their timelines are, and what they need on each clock.
pub fn main(arguments: &Arguments) -> u8 {
    let cases = match check::matching(&arguments.paths, &arguments.filter) {
        Ok(cases) => cases,
        Err(code) => return code,
    };
    let rows: Vec<[String; 4]> = cases.iter().map(|case| row(case.name(), &needs::of(case))).collect();
    let head = ["case", "timeline", "virtual clock", "real clock"].map(String::from);
    let widths = [0, 1, 2].map(|column| width(&rows, &head, column));
    anstream::println!("{STRONG}{}{STRONG:#}", line(&head, widths));
    rows.iter().for_each(|row| anstream::println!("{}", line(row, widths)));
    let count = rows.len();
    anstream::println!("\n{count} case{}", if count == 1 { "" } else { "s" });
    PASSED
}

/// A case's name, the length of its timeline, and what it needs on the virtual and on the real clock.
fn row(name: String, needs: &Needs) -> [String; 4] {
    let length =
        if needs.least == needs.most { readable(needs.most) } else { format!("up to {}", readable(needs.most)) };
    let programs = || needs.programs.iter().map(String::as_str);
    let virtually: Vec<_> = programs().collect();
    let really: Vec<_> = ["root"].into_iter().chain(needs.kernel.iter().copied()).chain(programs()).collect();
    let virtually = if virtually.is_empty() { "-".into() } else { virtually.join(", ") };
    [name, length, virtually, really.join(", ")]
}

fn width(rows: &[[String; 4]], head: &[String; 4], column: usize) -> usize {
    rows.iter().chain([head]).map(|row| row[column].chars().count()).max().unwrap_or_default()
}

fn line([name, length, virtually, really]: &[String; 4], [first, second, third]: [usize; 3]) -> String {
    format!("{name:first$}  {length:second$}  {virtually:third$}  {really}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_timeline_without_waits_has_one_length_and_one_with_waits_a_longest() {
        let needs = Needs { least: Duration::from_secs(2), most: Duration::from_secs(2), ..Needs::default() };
        assert_eq!(row("a".into(), &needs)[1], "2 s");
        let needs = Needs { most: Duration::from_secs(12), ..needs };
        assert_eq!(row("a".into(), &needs)[1], "up to 12 s");
    }

    #[test]
    fn the_real_clock_needs_root_and_what_of_the_kernel_the_guests_has_by_itself() {
        let needs = Needs { programs: ["haproxy".into()].into(), kernel: vec!["netem"], ..Needs::default() };
        let [.., virtually, really] = row("a".into(), &needs);
        assert_eq!((virtually.as_str(), really.as_str()), ("haproxy", "root, netem, haproxy"));
    }
}
