//! The page of a tournament: who plays whom, what decided it, what it pays.
//!
//! | module | draws |
//! |---|---|
//! | `bracket` | rounds from left to right, groups and pairs, who went on |
//! | `duels` | the boss round's tasks: bounds against what the rules ask |
//! | `tasks` | every task of every round, with everybody's result |
//! | `outcome` | the verdict in a sentence, places, and shares of what the type pays |

mod bracket;
mod duels;
mod outcome;
mod tasks;

use super::page::page;
use super::text::{escaped, label};
use gradus_tasks::tournament::{Journal, Tournament};

/// The page.
pub fn render(tournament: &Tournament, journal: &Journal) -> String {
    let setup = &tournament.state().setup;
    let sections = [
        outcome::verdict(tournament),
        bracket::render(tournament),
        duels::render(tournament),
        outcome::places(tournament),
        tasks::render(tournament),
        outcome::provenance(tournament, journal),
    ];
    page(
        &format!("tournament · {}", setup.tournament_type),
        &escaped(&setup.tournament_id),
        &sections.concat(),
    )
}

/// A hotkey as it is shown: the boss by its role.
fn name(tournament: &Tournament, hotkey: &str, most: usize) -> String {
    if hotkey != tournament.boss() {
        return label(hotkey, most);
    }
    match tournament.champion() {
        Some(champion) => format!("boss {}", label(&champion.hotkey, most.saturating_sub(5))),
        None => "boss (nobody)".to_owned(),
    }
}

/// A name of a schema, for people.
fn words(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    let text = match &value {
        serde_json::Value::String(text) => text.as_str(),
        serde_json::Value::Object(map) => ["by", "stage", "state"]
            .iter()
            .find_map(|tag| map.get(*tag)?.as_str())
            .unwrap_or_default(),
        _ => "",
    };
    escaped(&text.replace('_', " "))
}
