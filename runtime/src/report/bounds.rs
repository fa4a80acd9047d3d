//! The boss round's question: if another candidate held the title, would the best one take it?

use super::plot::{Scale, Svg};
use super::standings::series;
use super::text::{counted, label, plain, signed};
use crate::compare::Comparison;
use gradus_tasks::scoring::{Bounds, Duel, Verdict};

const WIDTH: f64 = 960.0;
const ROW: f64 = 38.0;
const TOP: f64 = 30.0;
const RATES: (f64, f64) = (190.0, 440.0);
const GAPS: (f64, f64) = (490.0, 770.0);
const VERDICT: f64 = 795.0;

pub(super) fn render(comparison: &Comparison<'_>) -> String {
    let Some(best) = comparison.best else {
        return String::new();
    };
    let shown: Vec<(usize, &Duel, &Bounds)> = comparison
        .scored()
        .filter_map(|(standing, ..)| {
            comparison
                .bounds(standing.entry)
                .map(|(d, b)| (standing.entry, d, b))
        })
        .collect();
    if shown.is_empty() {
        return String::new();
    }
    let bottom = TOP + ROW * shown.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 26.0);
    let rates = Scale::new(0.0, 1.0, RATES.0, RATES.1);
    let ends = shown
        .iter()
        .fold((0.0_f64, 0.0_f64), |(low, high), (_, duel, bounds)| {
            let gap = duel.mean_gap.unwrap_or(0.0);
            (
                low.min(bounds.gap_lower).min(gap),
                high.max(bounds.gap_needed).max(gap),
            )
        });
    let margin = (ends.1 - ends.0) * 0.06;
    let gaps = Scale::new(ends.0 - margin, ends.1 + margin, GAPS.0, GAPS.1);
    svg.text("head", (RATES.0, 16.0), "win rate among decided rows");
    svg.text("head", (GAPS.0, 16.0), "mean gap, nats");
    svg.text("head", (VERDICT, 16.0), "title");
    svg.x_axis(&rates, 5, TOP, bottom);
    svg.x_axis(&gaps, 5, TOP, bottom);
    svg.line("zero", (gaps.at(0.0), TOP), (gaps.at(0.0), bottom));
    for (position, (index, duel, bounds)) in shown.iter().enumerate() {
        let y = TOP + ROW * (position as f64 + 0.5);
        let class = series(comparison, *index);
        let name = &comparison.candidate(*index).name;
        svg.text("label end", (RATES.0 - 10.0, y + 4.5), &label(name, 24));
        if let (Some(rate), Some(lower)) = (duel.tally.win_rate(), bounds.win_rate_lower) {
            let passed = lower >= bounds.win_rate_needed;
            let about = format!(
                "win rate {}, lower bound {}, needed {}",
                plain(rate, 3),
                plain(lower, 3),
                plain(bounds.win_rate_needed, 3)
            );
            bound(
                &mut svg,
                &rates,
                y,
                &class,
                [lower, rate, bounds.win_rate_needed],
                passed,
                &about,
            );
        } else {
            svg.text("note", (RATES.0 + 8.0, y + 4.0), "no row is decided");
        }
        let gap = duel.mean_gap.unwrap_or(0.0);
        let passed = bounds.gap_lower >= bounds.gap_needed;
        let about = format!(
            "gap {}, lower bound {}, needed {}",
            signed(gap, 4),
            signed(bounds.gap_lower, 4),
            signed(bounds.gap_needed, 4)
        );
        bound(
            &mut svg,
            &gaps,
            y,
            &class,
            [bounds.gap_lower, gap, bounds.gap_needed],
            passed,
            &about,
        );
        let (class, verdict) = match bounds.verdict() {
            Verdict::Challenger => ("outcome yes", "taken"),
            Verdict::Holder => ("outcome no", "kept by the other"),
            Verdict::Draw => ("outcome no", "drawn: task replaced"),
        };
        svg.text(class, (VERDICT, y + 4.5), verdict);
    }
    let paired = &comparison.rules.paired;
    let kl = if comparison
        .scored()
        .any(|(_, _, score)| score.kl_divergence.is_some())
    {
        " KL tasks have a further gate that is not drawn here."
    } else {
        ""
    };
    format!(
        "<section><h2>Would {} take the title?</h2>\n<figure>{}<figcaption>Each row takes that candidate for the \
         holder. Line: from the one-sided {} % bootstrap lower bound to the value itself (dot). The lower bound must \
         reach the mark: a win rate of {} among decided rows, and a mean gap of {} nats or {} % of the holder’s loss, \
         whichever is more. {}, seed {}.{kl}</figcaption></figure></section>\n",
        label(&comparison.candidate(best).name, 48),
        svg.finish("Bootstrap lower bounds against what the rules ask"),
        plain(paired.confidence * 100.0, 0),
        paired.win_rate_min,
        paired.gap_min_abs,
        paired.gap_min_rel * 100.0,
        counted(paired.resamples, "resample"),
        paired.seed
    )
}

// [lower bound, value, needed]
fn bound(
    svg: &mut Svg,
    scale: &Scale,
    y: f64,
    class: &str,
    at: [f64; 3],
    passed: bool,
    about: &str,
) {
    let [lower, value, needed] = at.map(|value| scale.at(value));
    svg.open(about);
    svg.line(&format!("thick {class}"), (lower, y), (value, y));
    svg.line(&format!("stop {class}"), (lower, y - 6.0), (lower, y + 6.0));
    svg.dot(&format!("fill ring {class}"), (value, y), 5.0);
    let mark = if passed { "mark yes" } else { "mark no" };
    svg.line(mark, (needed, y - 12.0), (needed, y + 12.0));
    svg.close();
}
