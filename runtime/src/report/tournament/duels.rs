//! The boss round: task by task, the challenger's bounds against what the rules ask.

use super::{name, words};
use crate::report::plot::{Scale, Svg};
use crate::report::text::{plain, signed};
use gradus_tasks::scoring::Verdict;
use gradus_tasks::scoring::boss::{RowEvidence, TaskDecision, TaskReason};
use gradus_tasks::tournament::Tournament;
use gradus_tasks::tournament::state::{Decision, Task, TitleRecord};

const WIDTH: f64 = 960.0;
const ROW: f64 = 38.0;
const TOP: f64 = 30.0;
const RATES: (f64, f64) = (170.0, 400.0);
const GAPS: (f64, f64) = (450.0, 700.0);
const VERDICT: f64 = 725.0;

pub(super) fn render(tournament: &Tournament) -> String {
    let rounds = tournament.state().rounds.iter();
    let Some(last) = rounds.rev().find(|round| round.kind.is_final()) else {
        return String::new();
    };
    let decided: Vec<(&Task, &TaskDecision)> = tournament
        .tasks_of(last.number)
        .filter_map(|task| match &task.decision {
            Some(Decision::Boss { decision }) => Some((task, decision)),
            _ => None,
        })
        .collect();
    let title = match &last.title {
        Some(TitleRecord::Tasks { decision }) => format!(
            "The challenger won {}, lost {} and drew {} of the tasks, and needed {}.",
            decision.won, decision.lost, decision.drawn, decision.needed
        ),
        Some(TitleRecord::Final { decision }) => format!(
            "The challenger won {}, lost {} and drew {} of the tasks ({}).",
            decision.won,
            decision.lost,
            decision.drawn,
            words(&decision.reason)
        ),
        None => "It is not decided yet.".to_owned(),
    };
    let challenger = tournament.challenger().unwrap_or_default();
    let mut section = format!(
        "<section><h2>{} against {}</h2><p class=\"caption\">{title}</p>\n",
        name(tournament, challenger, 60),
        name(tournament, tournament.boss(), 60)
    );
    if !decided.is_empty() {
        section += &format!("<figure>{}</figure>\n", plot(&decided));
        section += "<p class=\"caption\">Dots are what was measured, bars reach down to the one-sided lower bound over resampled \
                    rows, dashes are what the bound has to reach: green where it does. Tasks without rows are decided by their \
                    scores and a margin.</p>\n";
    }
    section + "</section>\n"
}

fn plot(decided: &[(&Task, &TaskDecision)]) -> String {
    let bottom = TOP + ROW * decided.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 26.0);
    let rates = Scale::new(0.0, 1.0, RATES.0, RATES.1);
    let evidence = decided.iter().filter_map(|(_, decision)| decision.rows);
    let (low, high) = evidence.fold((0.0_f64, 0.0_f64), |(low, high), rows| {
        let all = [rows.mean_gap, rows.gap_lower, rows.gap_needed];
        let all = all.into_iter().flatten();
        all.fold((low, high), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    });
    let margin = ((high - low) * 0.06).max(1e-6);
    let gaps = Scale::new(low - margin, high + margin, GAPS.0, GAPS.1);
    svg.text("head", (RATES.0, 16.0), "win rate among decided rows");
    svg.text("head", (GAPS.0, 16.0), "mean gap, nats");
    svg.text("head", (VERDICT, 16.0), "goes to");
    svg.x_axis(&rates, 5, TOP, bottom);
    svg.x_axis(&gaps, 5, TOP, bottom);
    svg.line("zero", (gaps.at(0.0), TOP), (gaps.at(0.0), bottom));
    for (position, (task, decision)) in decided.iter().enumerate() {
        let y = TOP + ROW * (position as f64 + 0.5);
        let kind = task
            .plan
            .kind()
            .map(|kind| words(&kind))
            .unwrap_or_default();
        let label = format!("task {} · {kind}", task.number);
        svg.text("label end", (RATES.0 - 10.0, y + 4.5), &label);
        match &decision.rows {
            Some(rows) => bounds(&mut svg, (&rates, &gaps), y, rows),
            None => svg.text("note", (RATES.0 + 8.0, y + 4.0), &reason(&decision.reason)),
        }
        let (class, who) = match decision.verdict {
            Verdict::Challenger => ("outcome yes", "challenger"),
            Verdict::Holder => ("outcome no", "boss"),
            Verdict::Draw => ("outcome no", "nobody"),
        };
        svg.text(class, (VERDICT, y + 4.5), who);
        svg.text("note", (VERDICT + 80.0, y + 4.0), &words(&decision.reason));
    }
    svg.finish("bounds of the boss round's tasks")
}

fn bounds(svg: &mut Svg, (rates, gaps): (&Scale, &Scale), y: f64, rows: &RowEvidence) {
    match (rows.tally.win_rate(), rows.win_rate_lower) {
        (Some(rate), Some(lower)) => bound(svg, rates, y, [lower, rate, rows.win_rate_needed], 3),
        _ => svg.text("note", (RATES.0 + 8.0, y + 4.0), "no row is decided"),
    }
    if let (Some(gap), Some(lower), Some(needed)) = (rows.mean_gap, rows.gap_lower, rows.gap_needed)
    {
        bound(svg, gaps, y, [lower, gap, needed], 4);
    }
}

fn bound(svg: &mut Svg, scale: &Scale, y: f64, [lower, value, needed]: [f64; 3], digits: usize) {
    let about = format!(
        "{}, lower bound {}, needed {}",
        signed(value, digits),
        signed(lower, digits),
        plain(needed, digits)
    );
    let mark = if lower >= needed {
        "mark yes"
    } else {
        "mark no"
    };
    svg.open(&about);
    svg.line("s0 thick", (scale.at(lower), y), (scale.at(value), y));
    svg.dot("s0 fill ring", (scale.at(value), y), 5.5);
    svg.line(
        mark,
        (scale.at(needed), y - 12.0),
        (scale.at(needed), y + 12.0),
    );
    svg.close();
}

fn reason(reason: &TaskReason) -> String {
    match reason {
        TaskReason::Margin {
            challenger,
            boss,
            needed,
        } => format!(
            "challenger {}, boss {}, needed {}",
            plain(*challenger, 5),
            plain(*boss, 5),
            plain(*needed, 5)
        ),
        TaskReason::Score { challenger, boss } => {
            format!(
                "challenger {}, boss {}",
                plain(*challenger, 5),
                plain(*boss, 5)
            )
        }
        TaskReason::NoScore { challenger, boss } => match (challenger, boss) {
            (false, false) => "neither has a score".to_owned(),
            (false, true) => "the challenger has no score".to_owned(),
            _ => "the boss has no score".to_owned(),
        },
        other => words(other),
    }
}
