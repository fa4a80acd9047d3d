//! The ranked table on the terminal, and the failures below it.

use crate::compare::{Against, Comparison, interval_text};
use crate::printable::{columns, printable, printable_lines, shortened};
use gradus_evaluators::{CandidateKind, CandidateResult};
use std::fmt::Write;

const NAME_COLUMNS: usize = 40;

/// Whether escape sequences may colour the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Colour and weight.
    pub colour: bool,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The table, the notes below it, and the failures.
pub fn render(comparison: &Comparison<'_>, style: Style) -> String {
    let evaluation = comparison.evaluation;
    let mut out = String::new();
    let rows: Vec<[String; 7]> = comparison
        .scored()
        .map(|(standing, ..)| row(comparison, standing.entry))
        .collect();
    let head = [
        "#",
        "candidate",
        "kind",
        "loss",
        "behind the best",
        "99 % interval",
        "best won-lost-drew",
    ];
    if !rows.is_empty() {
        let heading = format!(
            "{} ({}, rules {})",
            printable(&evaluation.task_id),
            evaluation.task_type,
            printable(&evaluation.rule_set)
        );
        line(&mut out, &style.paint("1", &heading));
        grid(&mut out, &head.map(str::to_owned), &rows, style);
    }
    for note in notes(comparison) {
        line(&mut out, &style.paint("2", &note));
    }
    for candidate in &evaluation.candidates {
        if let CandidateResult::Failed(failure) = &candidate.result {
            let name = style.paint("31", &format!("✗ {}", printable(&candidate.name)));
            let reason = printable_lines(&failure.reason).replace('\n', "\n  ");
            line(
                &mut out,
                &format!(
                    "{name} has no score (fault: {}):\n  {reason}",
                    failure.owner
                ),
            );
        }
    }
    out
}

fn row(comparison: &Comparison<'_>, index: usize) -> [String; 7] {
    let candidate = comparison.candidate(index);
    let score = comparison
        .score(index)
        .expect("only scored candidates are rows");
    let standing = comparison
        .standings
        .iter()
        .find(|standing| standing.entry == index);
    let place = standing
        .and_then(|standing| standing.place)
        .map_or("–".to_owned(), |place| place.to_string());
    let kind = match candidate.kind {
        Some(CandidateKind::Adapter) => "adapter",
        Some(CandidateKind::Full) => "full",
        None => "",
    };
    let (gap, interval, tally) = match comparison.bounds(index) {
        Some((duel, bounds)) => (
            duel.mean_gap
                .map_or(String::new(), |gap| format!("{gap:+.4}")),
            interval_text(&bounds.gap, 0.99),
            format!(
                "{}-{}-{}",
                duel.tally.wins, duel.tally.losses, duel.tally.draws
            ),
        ),
        None if comparison.best == Some(index) => ("best".to_owned(), String::new(), String::new()),
        None => ("not compared".to_owned(), String::new(), String::new()),
    };
    let name = shortened(&printable(&candidate.name), NAME_COLUMNS).into_owned();
    [
        place,
        name,
        kind.to_owned(),
        format!("{:.4}", score.eval_loss),
        gap,
        interval,
        tally,
    ]
}

fn grid(out: &mut String, head: &[String; 7], rows: &[[String; 7]], style: Style) {
    // Text to the left, numbers to the right.
    const LEFT: [bool; 7] = [false, true, true, false, false, false, false];
    let used: Vec<usize> = (0..7)
        .filter(|column| rows.iter().any(|row| !row[*column].is_empty()))
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| columns(&row[column]))
            .chain([columns(&head[column])])
            .max()
            .unwrap_or(0)
    };
    let joined = |row: &[String; 7]| {
        let cells: Vec<String> = used
            .iter()
            .map(|column| {
                let pad = " ".repeat(width(*column).saturating_sub(columns(&row[*column])));
                if LEFT[*column] {
                    format!("{}{pad}", row[*column])
                } else {
                    format!("{pad}{}", row[*column])
                }
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    line(out, &style.paint("2", &joined(head)));
    for (position, row) in rows.iter().enumerate() {
        let text = joined(row);
        line(
            out,
            &if position == 0 {
                style.paint("1;32", &text)
            } else {
                text
            },
        );
    }
}

fn notes(comparison: &Comparison<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    for (_, candidate, score) in comparison.scored() {
        let name = printable(&candidate.name);
        if !score.is_finetune {
            let why = score.finetune_note.as_deref().unwrap_or("not a fine-tune");
            notes.push(format!("{name} takes no place: {}", printable(why)));
        }
        if let (Some(raw), Some(kl)) = (score.eval_loss_raw, score.kl_divergence) {
            notes.push(format!(
                "{name}: cross-entropy {raw:.4}, KL to the base {kl:.4}"
            ));
        }
        notes.extend(
            score
                .notes
                .iter()
                .map(|note| format!("{name}: {}", printable(note))),
        );
    }
    for (index, against) in comparison.against.iter().enumerate() {
        if let Some(Against::Incomparable(reason)) = against {
            notes.push(format!(
                "{} is not compared with the best: {reason}",
                printable(&comparison.candidate(index).name)
            ));
        }
    }
    if comparison
        .against
        .iter()
        .any(|against| matches!(against, Some(Against::Compared { .. })))
    {
        if comparison
            .scored()
            .any(|(_, _, score)| score.kl_divergence.is_some())
        {
            notes.push(
                "rows, gaps and intervals are of the cross-entropy, without the KL term".to_owned(),
            );
        }
        let paired = &comparison.rules.paired;
        notes.push(format!(
            "nats, lower is better; intervals from {} resamples of rows; a row within {} nats is drawn",
            paired.resamples, paired.dead_zone
        ));
    }
    notes
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a string grows");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{evaluation, failed, realistic, scored};
    use gradus_tasks::RuleSet;

    #[test]
    fn rows_stand_in_order_of_rank_and_failures_below() {
        let evaluation = evaluation(vec![
            scored("second", &realistic(60, 0.2, 0.1, 1)),
            failed("broken\u{1b}[2J"),
            scored("first", &realistic(60, 0.0, 0.1, 2)),
        ]);
        let rules = RuleSet::newest();
        let text = render(
            &Comparison::new(&evaluation, &rules),
            Style { colour: false },
        );
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[2].trim_start().starts_with("1  first") && lines[2].contains("best"),
            "{text}"
        );
        assert!(
            lines[3].trim_start().starts_with("2  second") && lines[3].contains("[+0."),
            "{text}"
        );
        assert!(
            text.contains("broken\\u{1b}[2J has no score (fault: submission)"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "nothing colours a plain table");
    }

    #[test]
    fn without_any_score_there_is_no_table() {
        let evaluation = evaluation(vec![failed("a")]);
        let rules = RuleSet::newest();
        let text = render(
            &Comparison::new(&evaluation, &rules),
            Style { colour: true },
        );
        assert!(
            !text.contains('#') && text.contains("has no score"),
            "{text}"
        );
    }
}
