//! `gradus chain doctor`: whether weights would land, and what to do if not.

use super::{ChainError, print, print_json};
use crate::chain::connect::Plan;
use crate::chain::health::{Health, examine};
use crate::cli::chain::DoctorArgs;
use crate::exit::Exit;
use crate::printable::printable_lines;
use gradus_chain::node::report::Verdict;
use std::fmt::Write;

/// Columns before what was found.
const INDENT: usize = 19;

pub(super) fn run(arguments: &DoctorArgs) -> Result<Exit, ChainError> {
    let mut plan = Plan::new(&arguments.nodes, Some(&arguments.subnet))?;
    // What a slow node has to say is what is asked for here.
    plan.policy.grace = plan.policy.limits.connect;
    let health = examine(&plan, arguments.hotkey, arguments.alarm);
    match arguments.json {
        true => print_json(&health)?,
        false => print(&text(&health))?,
    }
    Ok(match health.healthy {
        true => Exit::Done,
        false => Exit::Wrong,
    })
}

fn text(health: &Health) -> String {
    let mut text = String::new();
    for check in &health.checks {
        let verdict = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warn",
            Verdict::Failed => "FAIL",
        };
        let indented = |lines: &str| {
            let indent = format!("\n{}", " ".repeat(INDENT));
            printable_lines(lines).replace('\n', &indent)
        };
        let _ = writeln!(
            text,
            "{verdict:4}  {:12} {}",
            check.what,
            indented(&check.found)
        );
        if let Some(help) = &check.help {
            let _ = writeln!(text, "{}→ {}", " ".repeat(INDENT), indented(help));
        }
    }
    let failed = health
        .checks
        .iter()
        .filter(|check| check.verdict == Verdict::Failed);
    let _ = match failed.count() {
        0 => writeln!(text, "\nnothing found that keeps weights from landing"),
        1 => writeln!(text, "\none check failed"),
        count => writeln!(text, "\n{count} checks failed"),
    };
    text
}
