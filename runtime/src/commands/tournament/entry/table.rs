//! The decision as a table for people.

use crate::printable::{columns, printable, printable_lines};
use gradus_tasks::entry::{Decision, Enrolled, EntryFile, Field, Refusal, Start};
use gradus_tasks::rules::{RuleSet, TypeEntry};
use gradus_tasks::utc::utc;
use std::fmt::Write;

/// Rao of a TAO.
const RAO: u64 = 1_000_000_000;
/// How much of a checker's output is kept, bytes.
const OUTPUT_BYTES_MAX: usize = 4_096;

/// Who is in, who is not and why, what else to know, and when it starts.
pub(super) fn text(
    file: &EntryFile,
    rules: &RuleSet,
    decision: &Decision,
    start: &Start,
) -> String {
    let mut text = format!(
        "{} ({}, rules {}): {} admitted, {} enrolled before, {} refused\n",
        file.tournament_id,
        file.tournament_type,
        file.rules,
        decision.admitted.len(),
        file.enrolled.len(),
        decision.refused.len()
    );
    let rows = rows(file, decision);
    let width = rows.iter().map(|row| columns(&row[1])).max().unwrap_or(0);
    for [verdict, hotkey, why] in &rows {
        let _ = writeln!(text, "{verdict:<4} {hotkey:<width$}  {why}");
    }
    for note in &decision.notes {
        let _ = writeln!(text, "note: {}", first_line(&note.to_string()));
    }
    if let TypeEntry::Open { fee_rao, .. } = rules.entry.of(file.tournament_type) {
        let _ = writeln!(
            text,
            "fees: {} of {} TAO each",
            decision.fees.len(),
            tao(fee_rao)
        );
    }
    let _ = writeln!(text, "field: {}", field(&decision.field));
    let _ = writeln!(text, "start: {}", start_text(start));
    text
}

/// Verdict, hotkey, and what there is to say; those who are in first, in the order of entry.
fn rows(file: &EntryFile, decision: &Decision) -> Vec<[String; 3]> {
    let submits = |enrolled: &Enrolled| {
        let commit = enrolled.commit.to_string();
        let commit = commit
            .get(..12)
            .map_or(commit.clone(), |start| format!("{start}…"));
        format!("{} at {commit}", enrolled.response.repository)
    };
    let fell = |hotkey: &str| {
        decision
            .refused
            .iter()
            .any(|one| one.hotkey == hotkey && matches!(one.refusal, Refusal::Copy(_)))
    };
    let mut rows = Vec::new();
    let mut row = |verdict: &str, hotkey: &str, why: String| {
        let hotkey = printable(hotkey).into_owned();
        rows.push([verdict.to_owned(), hotkey, printable_lines(&why)]);
    };
    for entry in file.enrolled.iter().filter(|entry| !fell(&entry.hotkey)) {
        row("in", &entry.hotkey, "enrolled before".to_owned());
    }
    for entrant in (decision.admitted.iter()).filter(|entrant| !fell(&entrant.hotkey)) {
        row("in", &entrant.hotkey, submits(entrant));
    }
    for refused in &decision.refused {
        let paid = match refused.refusal {
            Refusal::Copy(_) => " (it has paid)",
            _ => "",
        };
        let why = first_line(&refused.refusal.to_string());
        row("out", &refused.hotkey, why + paid);
    }
    rows
}

fn field(field: &Field) -> String {
    match field {
        Field::Ready { bracket } => format!("ready, {} play", bracket.len()),
        Field::Waits {
            entrants,
            field_min,
            until_unix_s,
        } => format!(
            "waits, {entrants} of {field_min} are in; ask again at {}",
            utc(*until_unix_s)
        ),
        Field::Stuck { bracket, least } => format!(
            "stuck, copies left {} and a first round has {least} at least; somebody has to look, all have paid",
            bracket.len()
        ),
    }
}

fn start_text(start: &Start) -> String {
    match start {
        Start::Now {} => "at once".to_owned(),
        Start::At { unix_s } => format!("at {}", utc(*unix_s)),
        Start::Held { why } => format!("held: {}", printable(why)),
    }
}

/// A message without the advice below it.
pub(super) fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// The beginning of what a checker printed.
pub(super) fn beginning(output: &str) -> String {
    let mut end = output.len().min(OUTPUT_BYTES_MAX);
    while !output.is_char_boundary(end) {
        end -= 1;
    }
    output[..end].to_owned()
}

/// An amount in TAO, without zeros at its end.
fn tao(rao: u64) -> String {
    let text = format!("{}.{:09}", rao / RAO, rao % RAO);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_people_read_them() {
        assert_eq!(
            [tao(700_000_000), tao(0), tao(2_000_000_001)],
            ["0.7", "0", "2.000000001"]
        );
        assert_eq!(beginning(&"é".repeat(3_000)).len(), 4_096);
    }
}
