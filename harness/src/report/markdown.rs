//! `--markdown FILE`: a summary for people who look at a job and not at its log (`GITHUB_STEP_SUMMARY`).

use std::fmt::Write as _;

use super::results::{CaseResult, Outcome};
use super::{Ran, Report};
use crate::verdict::Verdict;

/// The report.
pub const MARKDOWN: Report = Report {
    name: "markdown",
    about: "Write a summary in Markdown, for a CI job's own page: --markdown \"$GITHUB_STEP_SUMMARY\"",
    render: |ran| Ok(summary(ran)),
};

/// A job's summary may have 1 MiB (GitHub's limit); what does not fit is told as a number.
const LIMIT: usize = 900_000;

fn summary(ran: &Ran<'_>) -> String {
    let cases = &ran.results.cases;
    let count = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
    let bad: Vec<_> = cases.iter().filter(|case| case.outcome != Outcome::Pass).collect();
    let clock: f64 = cases.iter().map(|case| case.clock_s).sum();
    let mut text = format!(
        "## {} whyclosed: {} passed, {} failed{}\n\n{clock:.0} s of clocks in {:.1} s, seed {}\n",
        if bad.is_empty() { "✅" } else { "❌" },
        count(Outcome::Pass),
        count(Outcome::Fail),
        match count(Outcome::Inconclusive) + count(Outcome::Error) {
            0 => String::new(),
            broken => format!(", {broken} without a verdict"),
        },
        ran.results.wall_s,
        ran.results.seed,
    );
    if !bad.is_empty() {
        text.push_str("\n### Not passed\n");
        for case in &bad {
            not_passed(&mut text, case);
        }
        let _ = write!(text, "\nAgain, on one's own machine:\n\n```sh\n{}\n```\n", ran.results.rerun);
    }
    let passed = cases.iter().filter(|case| case.outcome == Outcome::Pass);
    verdicts(&mut text, "All verdicts of what passed", passed);
    text
}

fn not_passed(text: &mut String, case: &CaseResult) {
    let word = match case.outcome {
        Outcome::Inconclusive => "not everything was seen",
        Outcome::Error => "no verdict",
        Outcome::Pass | Outcome::Fail => "failed",
    };
    let _ = write!(text, "\n**{}** {word}\n\n", code(&case.name()));
    for message in &case.messages {
        let _ = writeln!(text, "- {}", plain(message));
    }
    if !case.connections.is_empty() {
        text.push('\n');
        head(text);
        case.connections.iter().for_each(|verdict| row(text, case, verdict));
    }
}

/// A table that is folded until somebody opens it.
fn verdicts<'a>(text: &mut String, title: &str, cases: impl Iterator<Item = &'a CaseResult>) {
    let mut rows: Vec<(&CaseResult, &Verdict)> = Vec::new();
    for case in cases {
        rows.extend(case.connections.iter().map(|verdict| (case, verdict)));
    }
    if rows.is_empty() {
        return;
    }
    let _ = write!(text, "\n<details><summary>{title}</summary>\n\n");
    head(text);
    let mut left = rows.len();
    for (case, verdict) in rows {
        if text.len() > LIMIT {
            let _ = write!(text, "\n{left} more are in results.json\n");
            break;
        }
        row(text, case, verdict);
        left -= 1;
    }
    text.push_str("\n</details>\n");
}

fn head(text: &mut String) {
    text.push_str("| case | connection | mechanism | by | signal | measured | nominal | after |\n|---|---|---|---|---|---:|---:|---|\n");
}

fn row(text: &mut String, case: &CaseResult, verdict: &Verdict) {
    let word = |word: &Option<String>| word.as_deref().map(plain).unwrap_or_default();
    let time =
        |seconds: Option<f64>| seconds.map(|s| format!("{} s", (s * 1000.0).round() / 1000.0)).unwrap_or_default();
    let after = match (&verdict.because, &verdict.since) {
        (Some(because), _) => format!("because {}", plain(because)),
        (None, Some(since)) => plain(&since.what),
        (None, None) => String::new(),
    };
    let doubt = if verdict.firm { "" } else { "?" };
    let _ = writeln!(
        text,
        "| {} | {} | {}{doubt} | {} | {} | {} | {} | {after} |",
        code(&case.name()),
        plain(&verdict.name),
        code(&verdict.mechanism),
        word(&verdict.closed_by),
        word(&verdict.signal),
        time(verdict.elapsed_s.or(verdict.at_s)),
        time(verdict.nominal_s),
    );
}

/// A text in which nothing is markup: in a table, too.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => plain.push(' '),
            '<' => plain.push_str("&lt;"),
            '&' => plain.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' => plain.extend(['\\', letter]),
            letter => plain.push(letter),
        }
    }
    plain
}

/// A name as code; a table's bar is escaped in code as well (GitHub Flavored Markdown, 4.10).
fn code(text: &str) -> String {
    let text: String = text.chars().filter(|letter| *letter != '`' && !letter.is_control()).collect();
    format!("`{}`", text.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_or_a_line_break_in_a_message_does_not_end_a_cell() {
        assert_eq!(plain("a|b\nc"), "a\\|b c");
        assert_eq!(code("x|y`z"), "`x\\|yz`");
    }
}
