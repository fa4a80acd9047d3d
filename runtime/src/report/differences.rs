//! Two panels side by side: each candidate's loss, and its distance to the best with 95 % and 99 % intervals.

use super::plot::{Scale, Svg};
use super::standings::series;
use super::text::{label, plain, signed};
use crate::compare::Comparison;

const WIDTH: f64 = 960.0;
const ROW: f64 = 34.0;
const TOP: f64 = 30.0;
const NAMES: f64 = 190.0;
const BARS_END: f64 = 470.0;
const GAPS_START: f64 = 520.0;

pub(super) fn render(comparison: &Comparison<'_>) -> String {
    let shown: Vec<_> = comparison
        .scored()
        .filter(|(_, _, score)| score.eval_loss.is_finite())
        .collect();
    if shown.is_empty() {
        return String::new();
    }
    let bottom = TOP + ROW * shown.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 26.0);
    let most = shown
        .iter()
        .map(|(_, _, score)| score.eval_loss)
        .fold(0.0, f64::max);
    let losses = Scale::new(0.0, most * 1.02, NAMES, BARS_END);
    let dead_zone = comparison.rules.paired.dead_zone;
    let ends = shown
        .iter()
        .filter_map(|(standing, ..)| comparison.bounds(standing.entry))
        .map(|(_, bounds)| bounds.gap.interval(0.99))
        .fold(
            (-2.0 * dead_zone, 2.0 * dead_zone),
            |(low, high), (a, b)| (low.min(a), high.max(b)),
        );
    let margin = (ends.1 - ends.0) * 0.04;
    let gaps = Scale::new(ends.0 - margin, ends.1 + margin, GAPS_START, WIDTH - 20.0);
    svg.text("head", (NAMES, 16.0), "loss, nats");
    svg.text("head", (GAPS_START, 16.0), "behind the best, nats");
    svg.rect(
        "zone",
        (gaps.at(-dead_zone), TOP),
        (gaps.at(dead_zone) - gaps.at(-dead_zone), bottom - TOP),
        0.0,
    );
    svg.x_axis(&losses, 4, TOP, bottom);
    svg.x_axis(&gaps, 6, TOP, bottom);
    svg.line("zero", (gaps.at(0.0), TOP), (gaps.at(0.0), bottom));
    for (position, (standing, candidate, score)) in shown.iter().enumerate() {
        let y = TOP + ROW * (position as f64 + 0.5);
        let class = series(comparison, standing.entry);
        svg.open(&format!(
            "{}: {}",
            label(&candidate.name, 80),
            plain(score.eval_loss, 6)
        ));
        svg.text(
            "label end",
            (NAMES - 10.0, y + 4.5),
            &label(&candidate.name, 24),
        );
        svg.rect(
            &format!("fill {class}"),
            (NAMES, y - 9.0),
            (losses.at(score.eval_loss) - NAMES, 18.0),
            2.0,
        );
        svg.text(
            "value end",
            (losses.at(score.eval_loss).max(NAMES + 60.0) - 6.0, y + 4.0),
            &plain(score.eval_loss, 4),
        );
        svg.close();
        if comparison.best == Some(standing.entry) {
            svg.dot(&format!("fill {class}"), (gaps.at(0.0), y), 5.5);
            svg.text("note", (gaps.at(0.0) + 10.0, y + 4.0), "best");
        } else if let Some((duel, bounds)) = comparison.bounds(standing.entry) {
            let gap = duel.mean_gap.unwrap_or(0.0);
            let (wide, narrow) = (bounds.gap.interval(0.99), bounds.gap.interval(0.95));
            svg.open(&format!(
                "{}, 99 % {} to {}",
                signed(gap, 4),
                signed(wide.0, 4),
                signed(wide.1, 4)
            ));
            svg.line(
                &format!("thin {class}"),
                (gaps.at(wide.0), y),
                (gaps.at(wide.1), y),
            );
            svg.line(
                &format!("thick {class}"),
                (gaps.at(narrow.0), y),
                (gaps.at(narrow.1), y),
            );
            svg.dot(&format!("fill ring {class}"), (gaps.at(gap), y), 5.5);
            svg.close();
        } else {
            svg.text("note", (GAPS_START, y + 4.0), "not compared");
        }
    }
    format!(
        "<section><h2>Loss, and distance to the best</h2>\n<figure>{}<figcaption>Dot: mean paired difference. Thick \
         and thin lines: 95 % and 99 % of the bootstrapped means. Band: the dead zone of ±{dead_zone} nats, in which a \
         row decides nothing.</figcaption></figure></section>\n",
        svg.finish("Losses, and distances to the best with intervals")
    )
}
