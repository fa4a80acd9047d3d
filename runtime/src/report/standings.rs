//! The verdict in a sentence, and the ranked table.

use super::text::{counted, escaped, label, number_cell, plain, signed};
use crate::compare::{Against, Comparison};
use gradus_evaluators::CandidateKind;
use gradus_tasks::scoring::Standing;
use std::fmt::Write;

pub(super) fn render(comparison: &Comparison<'_>) -> String {
    let mut out = format!("<p class=\"verdict\">{}</p>\n", verdict(comparison));
    if comparison.scored().next().is_none() {
        return out;
    }
    out.push_str(
        "<section><div class=\"scroll\"><table class=\"ranking\"><thead><tr><th class=\"n\">#</th><th>candidate</th><th>kind</th>\
         <th class=\"n\">loss</th><th class=\"n\">behind the best</th><th class=\"n\">95 % interval</th>\
         <th class=\"n\">99 % interval</th><th class=\"n\">points</th></tr></thead><tbody>\n",
    );
    for (standing, ..) in comparison.scored() {
        row(&mut out, comparison, standing);
    }
    let kl = if comparison
        .scored()
        .any(|(_, _, score)| score.kl_divergence.is_some())
    {
        " Gaps and intervals are of the cross-entropy, without the KL term."
    } else {
        ""
    };
    out.push_str("</tbody></table></div>\n<p class=\"caption\">");
    writeln!(
        out,
        "Losses in nats, the mean over {}; lower is better. Intervals are of the mean paired difference, from {} \
         resamples of the rows.{kl}</p></section>",
        counted(comparison.scored().next().map_or(0, |(_, _, score)| score.rows.len()), "row"),
        comparison.rules.paired.resamples
    )
    .expect("a string grows");
    out
}

fn verdict(comparison: &Comparison<'_>) -> String {
    let Some(best) = comparison.best else {
        return "No candidate has a score that counts.".to_owned();
    };
    let name = format!(
        "<strong>{}</strong>",
        label(&comparison.candidate(best).name, 60)
    );
    let second = comparison
        .standings
        .get(1)
        .filter(|second| second.place.is_some())
        .map(|second| second.entry);
    let Some(second) = second else {
        return format!("{name} is the only candidate whose score counts.");
    };
    let other = format!(
        "<strong>{}</strong>",
        label(&comparison.candidate(second).name, 60)
    );
    let Some((duel, bounds)) = comparison.bounds(second) else {
        return format!(
            "{name} has the lowest loss. It cannot be compared with {other} row by row."
        );
    };
    let (low, high) = bounds.gap.interval(0.99);
    let sure = if low > 0.0 {
        "a lead that resampling the rows does not take away"
    } else {
        "within what resampling the rows can turn around"
    };
    format!(
        "{name} leads {other} by {} nats (99 % interval {} to {}), {sure}. It is better on {} of {}, worse on {}, and \
         {} lie inside the dead zone of {} nats.",
        plain(duel.mean_gap.unwrap_or(0.0), 4),
        signed(low, 4),
        signed(high, 4),
        duel.tally.wins,
        counted(duel.gaps.len(), "row"),
        duel.tally.losses,
        duel.tally.draws,
        comparison.rules.paired.dead_zone,
    )
}

fn row(out: &mut String, comparison: &Comparison<'_>, standing: &Standing) {
    let index = standing.entry;
    let candidate = comparison.candidate(index);
    let score = comparison
        .score(index)
        .expect("only scored candidates are rows");
    let class = if comparison.best == Some(index) {
        " class=\"best\""
    } else {
        ""
    };
    write!(out, "<tr{class}>").expect("a string grows");
    number_cell(
        out,
        &standing
            .place
            .map_or("–".to_owned(), |place| place.to_string()),
    );
    let why = match (&score.finetune_note, score.is_finetune) {
        (note, false) => format!(
            "<small>{}</small>",
            escaped(note.as_deref().unwrap_or("not a fine-tune"))
        ),
        _ => String::new(),
    };
    let kind = match candidate.kind {
        Some(CandidateKind::Adapter) => "adapter",
        Some(CandidateKind::Full) => "full",
        None => "",
    };
    write!(
        out,
        "<td class=\"name\" title=\"{}\"><i class=\"swatch {}\"></i>{}{why}</td><td>{kind}</td>",
        escaped(&candidate.source),
        series(comparison, index),
        label(&candidate.name, 48)
    )
    .expect("a string grows");
    let mut loss = plain(score.eval_loss, 4);
    if let (Some(raw), Some(kl)) = (score.eval_loss_raw, score.kl_divergence) {
        write!(
            loss,
            "<small>CE {} · KL {}</small>",
            plain(raw, 4),
            plain(kl, 4)
        )
        .expect("a string grows");
    }
    number_cell(out, &loss);
    match (comparison.bounds(index), &comparison.against[index]) {
        (Some((duel, bounds)), _) => {
            number_cell(
                out,
                &duel.mean_gap.map_or(String::new(), |gap| signed(gap, 4)),
            );
            for confidence in [0.95, 0.99] {
                let (low, high) = bounds.gap.interval(confidence);
                number_cell(out, &format!("{} … {}", signed(low, 4), signed(high, 4)));
            }
        }
        (None, Some(Against::Incomparable(reason))) => {
            write!(
                out,
                "<td colspan=\"3\"><small>not compared: {}</small></td>",
                escaped(reason)
            )
            .expect("a string grows");
        }
        _ => out.push_str("<td class=\"n\">–</td><td></td><td></td>"),
    }
    number_cell(out, &plain(standing.points, 0));
    out.push_str("</tr>\n");
}

/// The class that gives a candidate its colour on the whole page: by rank, so that the leaders differ most.
pub(super) fn series(comparison: &Comparison<'_>, index: usize) -> String {
    const COLOURS: usize = 8;
    let position = comparison
        .standings
        .iter()
        .position(|standing| standing.entry == index)
        .unwrap_or(COLOURS);
    if position < COLOURS {
        format!("s{position}")
    } else {
        "rest".to_owned()
    }
}
