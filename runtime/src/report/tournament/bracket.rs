//! Rounds from left to right: a box for each group or pair, a line for each one who went on.

use super::{name, words};
use crate::report::plot::Svg;
use gradus_tasks::tournament::Tournament;
use std::collections::HashMap;

const BOX: f64 = 190.0;
const GAP: f64 = 62.0;
const LINE: f64 = 20.0;
const PAD: f64 = 8.0;
const SPACE: f64 = 16.0;
const TOP: f64 = 30.0;
/// More than this in a group are counted, not named.
const NAMES_MAX: usize = 40;

pub(super) fn render(tournament: &Tournament) -> String {
    let rounds = &tournament.state().rounds;
    if rounds.is_empty() {
        return String::new();
    }
    let height_of = |place: &Vec<String>| shown(place) as f64 * LINE + 2.0 * PAD;
    let heights: Vec<f64> = rounds
        .iter()
        .map(|round| {
            round.places.iter().map(height_of).sum::<f64>()
                + SPACE * (round.places.len().max(1) - 1) as f64
        })
        .collect();
    let tallest = heights.iter().copied().fold(0.0, f64::max);
    let width = rounds.len() as f64 * (BOX + GAP) - GAP;
    let mut svg = Svg::new(width.max(960.0), TOP + tallest + 6.0);
    // Where each one left the round before, to draw who went on.
    let mut left: HashMap<&str, (f64, f64)> = HashMap::new();
    for ((column, round), height) in rounds.iter().enumerate().zip(&heights) {
        let x = column as f64 * (BOX + GAP);
        let heading = format!("{} · {}", round.number, words(&round.kind));
        svg.text("head", (x, 16.0), &heading);
        let mut y = TOP + (tallest - height) / 2.0;
        let mut now = HashMap::new();
        for place in &round.places {
            svg.rect("zone", (x, y), (BOX, height_of(place)), 5.0);
            for (line, hotkey) in place.iter().enumerate() {
                let middle = y + PAD + LINE * (line.min(NAMES_MAX) as f64 + 0.5);
                if let Some(from) = left.get(hotkey.as_str()) {
                    let bend = x - GAP / 2.0;
                    let points = [*from, (bend, from.1), (bend, middle), (x, middle)];
                    svg.path("curve rest", points.into_iter(), false);
                }
                now.insert(hotkey.as_str(), (x + BOX, middle));
                if line < NAMES_MAX {
                    let on = round.advanced.as_ref().map(|on| on.contains(hotkey));
                    let class = match on {
                        Some(true) => "outcome yes",
                        Some(false) => "outcome no",
                        None => "",
                    };
                    svg.open(&name(tournament, hotkey, 100));
                    svg.text(
                        class,
                        (x + PAD, middle + 4.5),
                        &name(tournament, hotkey, 22),
                    );
                    svg.close();
                } else if line == NAMES_MAX {
                    let more = format!("and {} more", place.len() - NAMES_MAX);
                    svg.text("note", (x + PAD, middle + 4.5), &more);
                }
            }
            y += height_of(place) + SPACE;
        }
        left = now;
    }
    let about = format!("{} rounds; who went on is in colour", rounds.len());
    format!(
        "<section><h2>Rounds</h2><div class=\"scroll\"><figure>{}</figure></div>\n\
         <p class=\"caption\">A box is a group or a pair. Names in colour went on; lines lead to where they played next.</p></section>\n",
        svg.finish(&about)
    )
}

fn shown(place: &[String]) -> usize {
    place.len().min(NAMES_MAX + 1)
}
