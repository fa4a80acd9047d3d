//! Per-row losses: sorted curves of all candidates, sorted gaps to the best, and the rows that tell candidates apart.

use super::plot::{Scale, Svg, thinned};
use super::standings::series;
use super::text::{counted, escaped, label, number_cell, plain, signed};
use crate::compare::Comparison;
use gradus_evaluators::Score;
use std::fmt::Write;

const WIDTH: f64 = 960.0;
/// Points of a curve: about one a pixel.
const POINTS: usize = 800;
/// Gap panels that are drawn.
const PANELS: usize = 12;
/// Rows in the table.
const TELLING_ROWS: usize = 12;
/// Columns of candidates in the table.
const TELLING_COLUMNS: usize = 6;

pub(super) fn render(comparison: &Comparison<'_>) -> String {
    let mut out = curves(comparison);
    out.push_str(&gaps(comparison));
    out.push_str(&telling(comparison));
    out
}

fn finite(score: &Score) -> Vec<f64> {
    score
        .per_example_losses
        .iter()
        .flatten()
        .copied()
        .filter(|loss| loss.is_finite())
        .collect()
}

fn curves(comparison: &Comparison<'_>) -> String {
    let sorted: Vec<(usize, Vec<f64>)> = comparison
        .scored()
        .map(|(standing, _, score)| {
            let mut losses = finite(score);
            losses.sort_by(f64::total_cmp);
            (standing.entry, losses)
        })
        .filter(|(_, losses)| !losses.is_empty())
        .collect();
    if sorted.is_empty() {
        return String::new();
    }
    let (top, bottom, left) = (12.0, 300.0, 56.0);
    let mut svg = Svg::new(WIDTH, bottom + 42.0);
    let most = sorted
        .iter()
        .filter_map(|(_, losses)| losses.last())
        .fold(0.0_f64, |a, b| a.max(*b));
    let least = sorted
        .iter()
        .filter_map(|(_, losses)| losses.first())
        .fold(0.0_f64, |a, b| a.min(*b));
    let ys = Scale::new(least, most * 1.03, bottom, top);
    let xs = Scale::new(0.0, 100.0, left, WIDTH - 16.0);
    svg.y_axis(&ys, 7, left, WIDTH - 16.0);
    svg.x_axis(&xs, 10, top, bottom);
    svg.text(
        "note mid",
        ((left + WIDTH) / 2.0, bottom + 36.0),
        "% of rows, easiest first",
    );
    // The leaders are drawn last, on top.
    for (index, losses) in sorted.iter().rev() {
        svg.open(&label(&comparison.candidate(*index).name, 80));
        let points = thinned(losses, POINTS)
            .into_iter()
            .map(|(place, loss)| (xs.at(place * 100.0), ys.at(loss)));
        svg.path(
            &format!("curve {}", series(comparison, *index)),
            points,
            false,
        );
        svg.close();
    }
    let mut out = String::from("<section><h2>Losses of single rows</h2>\n<p class=\"legend\">");
    for (index, _) in &sorted {
        let class = series(comparison, *index);
        write!(
            out,
            "<span><i class=\"swatch {class}\"></i>{}</span> ",
            label(&comparison.candidate(*index).name, 28)
        )
        .expect("a string grows");
    }
    writeln!(
        out,
        "</p>\n<figure>{}<figcaption>Each curve sorts its own candidate’s rows, so curves compare distributions: a \
         curve below another is better at that share of the rows. Nats.</figcaption></figure></section>",
        svg.finish("Sorted per-row losses of every candidate")
    )
    .expect("a string grows");
    out
}

fn gaps(comparison: &Comparison<'_>) -> String {
    let Some(best) = comparison.best else {
        return String::new();
    };
    let mut panels: Vec<(usize, Vec<f64>)> = comparison
        .scored()
        .filter_map(|(standing, ..)| {
            Some((
                standing.entry,
                comparison.bounds(standing.entry)?.0.gaps.clone(),
            ))
        })
        .collect();
    let left_out = panels.len().saturating_sub(PANELS);
    panels.truncate(PANELS);
    if panels.is_empty() {
        return String::new();
    }
    for (_, gaps) in &mut panels {
        gaps.sort_by(f64::total_cmp);
    }
    // The outermost percent may lie beyond the edge: one odd row must not flatten all others.
    let least = comparison.rules.paired.dead_zone * 3.0;
    let reach = panels
        .iter()
        .fold((-least, least), |(low, high), (_, gaps)| {
            let edge = gaps.len() / 100;
            (low.min(gaps[edge]), high.max(gaps[gaps.len() - 1 - edge]))
        });
    let mut out = format!(
        "<section><h2>Where the best wins and loses</h2>\n<div class=\"panels\">{}</div>\n",
        panels
            .iter()
            .map(|(index, gaps)| panel(comparison, *index, gaps, reach))
            .collect::<String>()
    );
    let more = if left_out > 0 {
        format!(" {} more are left out.", counted(left_out, "candidate"))
    } else {
        String::new()
    };
    writeln!(
        out,
        "<p class=\"caption\">Per row, the other’s loss minus that of {}, sorted: above zero the best is better. \
         Band: the dead zone. All panels share one scale; the outermost 1 % of rows may be cut.{more}</p></section>",
        label(&comparison.candidate(best).name, 48)
    )
    .expect("a string grows");
    out
}

fn panel(
    comparison: &Comparison<'_>,
    index: usize,
    gaps: &[f64],
    (low, high): (f64, f64),
) -> String {
    let (width, top, bottom, left) = (300.0, 8.0, 150.0, 46.0);
    let dead_zone = comparison.rules.paired.dead_zone;
    let mut svg = Svg::new(width, bottom + 8.0);
    let ys = Scale::new(low, high, bottom, top);
    let xs = Scale::new(0.0, 1.0, left, width - 6.0);
    svg.y_axis(&ys, 4, left, width - 6.0);
    svg.rect(
        "zone",
        (left, ys.at(dead_zone)),
        (width - 6.0 - left, ys.at(-dead_zone) - ys.at(dead_zone)),
        0.0,
    );
    let points = thinned(gaps, POINTS / 2);
    let zero = ys.at(0.0);
    for (class, keep) in [
        ("area loss", f64::min as fn(f64, f64) -> f64),
        ("area win", f64::max),
    ] {
        let edge = points
            .iter()
            .map(|(place, gap)| (xs.at(*place), ys.at(keep(*gap, 0.0))));
        let ends = points
            .first()
            .into_iter()
            .map(|first| (xs.at(first.0), zero));
        let back = points.last().into_iter().map(|last| (xs.at(last.0), zero));
        svg.path(class, ends.chain(edge).chain(back), true);
    }
    svg.line("zero", (left, zero), (width - 6.0, zero));
    let tally = comparison
        .bounds(index)
        .map(|(duel, _)| duel.tally)
        .unwrap_or_default();
    let name = &comparison.candidate(index).name;
    format!(
        "<figure><h3><i class=\"swatch {}\"></i>{}</h3>{}<figcaption>{} won · {} lost · {} drawn</figcaption></figure>",
        series(comparison, index),
        label(name, 30),
        svg.finish(&format!(
            "Sorted gaps between {} and the best",
            label(name, 60)
        )),
        tally.wins,
        tally.losses,
        tally.draws
    )
}

fn telling(comparison: &Comparison<'_>) -> String {
    let Some(best) = comparison.best.and_then(|best| comparison.score(best)) else {
        return String::new();
    };
    let shown: Vec<(usize, &Score)> = comparison
        .scored()
        .filter(|(_, _, score)| {
            score.eval_set_fingerprint == best.eval_set_fingerprint
                && score.per_example_losses.len() == best.per_example_losses.len()
        })
        .map(|(standing, _, score)| (standing.entry, score))
        .take(TELLING_COLUMNS)
        .collect();
    if shown.len() < 2 {
        return String::new();
    }
    let mut spread: Vec<(f64, usize)> = (0..best.per_example_losses.len().min(best.rows.len()))
        .filter_map(|row| {
            let losses = shown
                .iter()
                .map(|(_, score)| score.per_example_losses[row].filter(|loss| loss.is_finite()));
            let losses: Option<Vec<f64>> = losses.collect();
            let losses = losses?;
            let most = losses.iter().copied().fold(f64::MIN, f64::max);
            Some((most - losses.iter().copied().fold(f64::MAX, f64::min), row))
        })
        .collect();
    spread.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    spread.truncate(TELLING_ROWS);
    let mut out = String::from(
        "<section><h2>Rows that tell the candidates apart</h2>\n<div class=\"scroll\"><table><thead><tr>\
         <th class=\"n\">row</th><th class=\"n\">tokens</th><th class=\"n\">labels</th><th class=\"n\">spread</th>",
    );
    for (index, _) in &shown {
        let class = series(comparison, *index);
        let candidate = comparison.candidate(*index);
        write!(
            out,
            "<th class=\"n\" title=\"{}\"><i class=\"swatch {class}\"></i>{}</th>",
            escaped(&candidate.name),
            label(&candidate.name, 18)
        )
        .expect("a string grows");
    }
    out.push_str("</tr></thead><tbody>\n");
    for (gap, row) in spread {
        let info = best.rows[row];
        out.push_str("<tr>");
        for number in [info.source_row, info.num_tokens, info.num_labels] {
            number_cell(&mut out, &number.to_string());
        }
        number_cell(&mut out, &signed(gap, 3).replace('+', ""));
        for (_, score) in &shown {
            number_cell(
                &mut out,
                &score.per_example_losses[row].map_or("–".to_owned(), |loss| plain(loss, 3)),
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n<p class=\"caption\">Rows are numbered as in the data file, from 0.</p></section>\n");
    out
}
