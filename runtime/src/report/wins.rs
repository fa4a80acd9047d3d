//! Who won how many rows against whom.

use super::standings::series;
use super::text::{counted, label};
use crate::compare::Comparison;
use std::fmt::Write;

/// A larger matrix says nothing to the eye.
const MOST: usize = 24;

pub(super) fn render(comparison: &Comparison<'_>) -> String {
    let shown: Vec<usize> = comparison
        .scored()
        .map(|(standing, ..)| standing.entry)
        .take(MOST)
        .collect();
    if shown.len() < 2 {
        return String::new();
    }
    let name = |index: usize, most: usize| label(&comparison.candidate(index).name, most);
    let mut out = String::from(
        "<section><h2>Rows won, pair by pair</h2>\n<div class=\"scroll\"><table class=\"wins\"><thead><tr><th></th>",
    );
    for (position, index) in shown.iter().enumerate() {
        let class = series(comparison, *index);
        write!(
            out,
            "<th><i class=\"swatch {class}\"></i>{}</th>",
            name(*index, if position < 8 { 16 } else { 8 })
        )
        .expect("a string grows");
    }
    out.push_str("</tr></thead><tbody>\n");
    for one in &shown {
        let class = series(comparison, *one);
        write!(
            out,
            "<tr><th class=\"side\"><i class=\"swatch {class}\"></i>{}</th>",
            name(*one, 28)
        )
        .expect("a string grows");
        for other in &shown {
            let cell = match &comparison.tallies[*one][*other] {
                _ if one == other => "<td class=\"self\"></td>".to_owned(),
                None => "<td class=\"self\" title=\"scored on different sets\">×</td>".to_owned(),
                Some(tally) => {
                    let rows = (tally.decided() + tally.draws).max(1) as f64;
                    let lead = (tally.wins as f64 - tally.losses as f64) / rows;
                    let side = if lead >= 0.0 { "win" } else { "loss" };
                    format!(
                        "<td style=\"background:rgb(var(--{side}) / {:.2})\" title=\"{} against {}: {} won, {} lost, {} \
                         drawn\"><b>{}</b><small>{} lost · {} drawn</small></td>",
                        lead.abs() * 0.75,
                        name(*one, 60),
                        name(*other, 60),
                        counted(tally.wins, "row"),
                        tally.losses,
                        tally.draws,
                        tally.wins,
                        tally.losses,
                        tally.draws
                    )
                }
            };
            out.push_str(&cell);
        }
        out.push_str("</tr>\n");
    }
    let left_out = comparison.scored().count() - shown.len();
    let more = if left_out > 0 {
        format!(
            " {} of lower rank are left out.",
            counted(left_out, "candidate")
        )
    } else {
        String::new()
    };
    writeln!(
        out,
        "</tbody></table></div>\n<p class=\"caption\">Large: rows that the candidate on the left won against the one \
         above, by more than {} nats.{more}</p></section>",
        comparison.rules.paired.dead_zone
    )
    .expect("a string grows");
    out
}
