//! `gradus tournament show`: where it stands, and what it waits for.

use super::{TournamentError, journal_file, print};
use crate::cli::tournament::ShowArgs;
use crate::exit::Exit;
use crate::printable::printable;
use gradus_tasks::tournament::{Pending, Stage, Tournament};
use serde_json::json;
use std::fmt::Write;

pub(super) fn run(arguments: &ShowArgs) -> Result<Exit, TournamentError> {
    let tournament = journal_file::read("FILE", &arguments.file, None)?.tournament;
    if arguments.json {
        let shown = json!({
            "state": tournament.state(),
            "pending": tournament.pending(),
            "result": tournament.result(),
        });
        print(&format!("{shown:#}\n"))?;
    } else {
        print(&text(&tournament))?;
    }
    Ok(Exit::Done)
}

fn text(tournament: &Tournament) -> String {
    let state = tournament.state();
    let setup = &state.setup;
    let mut text = format!(
        "{} ({}, rules {}): {}, {} events, {} of {} entrants play\n",
        setup.tournament_id,
        setup.tournament_type,
        setup.rules,
        stage(state.stage),
        state.next_sequence,
        tournament.playing().len(),
        setup.entrants.len()
    );
    for round in &state.rounds {
        let kind = serde_json::to_value(round.kind).unwrap_or_default();
        let kind = kind.as_str().unwrap_or_default().replace('_', " ");
        let advanced = match &round.advanced {
            Some(advanced) => format!("on go {}", joined(advanced)),
            None => "being played".to_owned(),
        };
        let _ = writeln!(
            text,
            "round {} ({kind}, {} tasks): {advanced}",
            round.number,
            tournament.tasks_of(round.number).count()
        );
    }
    for pending in tournament.pending() {
        let _ = writeln!(text, "waits for {}", waits_for(&pending));
    }
    if let Some(result) = tournament.result() {
        let champion = result.champion.as_deref().map(printable);
        let _ = writeln!(
            text,
            "champion: {}",
            champion.as_deref().unwrap_or("nobody")
        );
        for place in &result.places {
            let _ = writeln!(text, "{:>5}  {}", place.place, printable(&place.hotkey));
        }
    }
    text
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Pending {} => "has not begun",
        Stage::Playing {} => "is being played",
        Stage::DuplicateReview {} => "entrants are being compared",
        Stage::ChallengerReview { .. } => "the challenger is being reviewed",
        Stage::Finished {} => "is over",
    }
}

fn waits_for(pending: &Pending) -> String {
    match pending {
        Pending::Start { entrants } => format!("its start, with {} entrants", entrants.len()),
        Pending::Task { task, plan, .. } => {
            let plan = serde_json::to_string(plan).unwrap_or_default();
            format!("task {task} to be built: {plan}")
        }
        Pending::Training { task, hotkeys, .. } => {
            format!("trainings of task {task}: {}", joined(hotkeys))
        }
        Pending::Evaluation {
            task,
            hotkeys,
            together,
            ..
        } => {
            let together = if *together { ", reported at once" } else { "" };
            format!("evaluations of task {task}{together}: {}", joined(hotkeys))
        }
        Pending::Judgement { task, why } => {
            let why = serde_json::to_value(why).unwrap_or_default();
            let why = why.as_str().unwrap_or_default().replace('_', " ");
            format!("somebody who looks at task {task}: {why}")
        }
        Pending::DuplicateReview { entrants, .. } => {
            format!("the comparison of {}", joined(entrants))
        }
        Pending::ChallengerReview { hotkey, .. } => {
            format!("the review of {}", printable(hotkey))
        }
    }
}

fn joined(hotkeys: &[String]) -> String {
    match hotkeys {
        [] => "nobody".to_owned(),
        _ => printable(&hotkeys.join(", ")).into_owned(),
    }
}
