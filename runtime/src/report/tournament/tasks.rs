//! Every task of every round, with everybody's result.

use super::{name, words};
use crate::report::text::{escaped, number_cell, plain};
use gradus_tasks::scoring::Verdict;
use gradus_tasks::tournament::Tournament;
use gradus_tasks::tournament::state::{
    Contestant, Decision, Evaluation, Round, Task, TaskState, Training,
};
use std::fmt::Write;

pub(super) fn render(tournament: &Tournament) -> String {
    let rounds = tournament.state().rounds.iter().rev();
    rounds.map(|round| section(tournament, round)).collect()
}

fn section(tournament: &Tournament, round: &Round) -> String {
    let mut out = format!(
        "<section><h2>Round {}: {}</h2>\n",
        round.number,
        words(&round.kind)
    );
    for task in tournament.tasks_of(round.number) {
        table(&mut out, tournament, task);
    }
    out + "</section>\n"
}

fn table(out: &mut String, tournament: &Tournament, task: &Task) {
    let kind = task
        .plan
        .kind()
        .map_or_else(|| "environments".to_owned(), |kind| words(&kind));
    let built = match &task.built {
        Some(built) => format!("{} on {}", escaped(&built.task_id), escaped(&built.model)),
        None => "not built yet".to_owned(),
    };
    let state = match task.state {
        TaskState::Held { why } => format!("held: {}", words(&why)),
        state => words(&state),
    };
    let _ = write!(
        out,
        "<h3>Task {}: {kind}, {built}<span class=\"tag\">{state}</span></h3>\n\
         <div class=\"scroll\"><table><thead><tr><th>contestant</th><th>training</th><th>evaluation</th>\
         <th class=\"n\">ranks by</th></tr></thead><tbody>\n",
        task.number
    );
    for (place, contestant) in task.contestants.iter().enumerate() {
        row(out, tournament, task, place, contestant);
    }
    let _ = write!(
        out,
        "</tbody></table></div>\n<p class=\"caption\">{}</p>\n",
        decision(tournament, task)
    );
}

fn row(
    out: &mut String,
    tournament: &Tournament,
    task: &Task,
    place: usize,
    contestant: &Contestant,
) {
    let training = match contestant.training {
        Training::Waiting { failed: 0 } => "to be done".to_owned(),
        Training::Waiting { failed } => format!("to be done again, {failed} failed"),
        Training::Succeeded {} => "done".to_owned(),
        Training::Failed {} => "failed".to_owned(),
    };
    let standing = match &task.decision {
        Some(Decision::Standings { scores }) => scores.get(place).copied().flatten(),
        _ => None,
    };
    let (evaluation, ranking) = match &contestant.evaluation {
        Evaluation::Waiting {} => ("to be done".to_owned(), None),
        Evaluation::Scored { score } => ("scored".to_owned(), standing.or(score.ranking)),
        Evaluation::Invalid { why } => (format!("does not count: {}", words(why)), None),
    };
    let best = match &task.decision {
        Some(Decision::Ranking { order, .. }) => order.first() == Some(&contestant.hotkey),
        Some(Decision::Pair { winner, .. }) => winner.as_ref() == Some(&contestant.hotkey),
        _ => false,
    };
    let class = if best { " class=\"best\"" } else { "" };
    let _ = write!(
        out,
        "<tr{class}><td class=\"name\">{}</td><td>{training}</td><td>{evaluation}</td>",
        name(tournament, &contestant.hotkey, 60)
    );
    number_cell(
        out,
        &ranking.map_or("–".to_owned(), |ranking| plain(ranking, 6)),
    );
    out.push_str("</tr>\n");
}

fn decision(tournament: &Tournament, task: &Task) -> String {
    match &task.decision {
        None => "Not decided yet.".to_owned(),
        Some(Decision::Ranking { order, tied }) => {
            let tied = if *tied {
                ", several with the same number"
            } else {
                ""
            };
            match order.first() {
                Some(first) => format!("Best: {}{tied}.", name(tournament, first, 60)),
                None => "Nobody has an entry that counts.".to_owned(),
            }
        }
        Some(Decision::Pair { winner, decision }) => {
            let why = decision
                .as_ref()
                .map(|decision| format!(" ({})", words(&decision.reason)))
                .unwrap_or_default();
            match winner {
                Some(winner) => format!("On goes {}{why}.", name(tournament, winner, 60)),
                None => format!("Nobody goes on{why}."),
            }
        }
        Some(Decision::Boss { decision }) => {
            let who = match decision.verdict {
                Verdict::Challenger => "The challenger has it",
                Verdict::Holder => "The boss has it",
                Verdict::Draw => "Nobody has it",
            };
            format!("{who} ({}).", words(&decision.reason))
        }
        Some(Decision::Standings { .. }) => {
            "Ranked by standings over environments, 0 to 1.".to_owned()
        }
    }
}
