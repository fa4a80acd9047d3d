//! The verdict in a sentence, places with their shares, and what all of it was computed from.

use super::{name, words};
use crate::report::text::{counted, escaped, number_cell, plain};
use gradus_tasks::sha256_hex;
use gradus_tasks::tournament::{Journal, Tournament};
use gradus_tasks::weights::Performance;
use gradus_tasks::weights::{Share, shares};
use std::fmt::Write;

pub(super) fn verdict(tournament: &Tournament) -> String {
    let state = tournament.state();
    let entrants = counted(state.setup.entrants.len(), "entrant");
    let Some(result) = tournament.result() else {
        return format!(
            "<p class=\"verdict\">{entrants}, {} still play; the tournament is not over ({}).</p>\n",
            tournament.playing().len(),
            words(&state.stage)
        );
    };
    let margin = match result.performance {
        Performance::Won {
            difference: Some(difference),
            burn_account: false,
        } => format!(" by a margin of {} %", plain(difference * 100.0, 2)),
        _ => String::new(),
    };
    let who = match &result.champion {
        Some(champion) => format!(
            "<strong>{}</strong> has the title",
            name(tournament, champion, 60)
        ),
        None => "Nobody has the title".to_owned(),
    };
    format!(
        "<p class=\"verdict\">{who}{margin}: {}. {entrants}, {}.</p>\n",
        words(&result.why),
        counted(state.rounds.len(), "round")
    )
}

pub(super) fn places(tournament: &Tournament) -> String {
    let Some(result) = tournament.result() else {
        return String::new();
    };
    let emission = &tournament.rules().emission;
    let base = emission
        .types()
        .into_iter()
        .find(|(kind, _)| *kind == result.tournament_type)
        .map(|(_, rules)| rules.base);
    let shares: Vec<Share> = base
        .and_then(|base| shares(emission, base, &result.results).ok())
        .unwrap_or_default();
    let mut out = "<section><h2>Places</h2><div class=\"scroll\"><table class=\"ranking\"><thead><tr><th class=\"n\">#</th>\
                   <th>entrant</th><th>out</th><th class=\"n\">share</th></tr></thead><tbody>\n"
        .to_owned();
    for place in &result.places {
        let hotkey = result.results.resolve(&place.hotkey, &emission.burn_hotkey);
        let share = shares.iter().find(|share| share.hotkey == hotkey);
        let class = if place.place == 1 {
            " class=\"best\""
        } else {
            ""
        };
        let _ = write!(out, "<tr{class}>");
        number_cell(&mut out, &place.place.to_string());
        let when = place.out.map_or_else(String::new, |when| match when.round {
            0 => format!("before the first round: {}", words(&when.why)),
            round => format!("round {round}: {}", words(&when.why)),
        });
        let _ = write!(
            out,
            "<td class=\"name\">{}</td><td>{when}</td>",
            name(tournament, &place.hotkey, 60)
        );
        let share = share.map_or("–".to_owned(), |share| {
            format!("{} %", plain(share.share * 100.0, 2))
        });
        number_cell(&mut out, &share);
        out.push_str("</tr>\n");
    }
    let _ = write!(
        out,
        "</tbody></table></div>\n<p class=\"caption\">Shares are of what {} tournaments pay; `gradus weights show` says how much that is.</p></section>\n",
        result.tournament_type
    );
    out
}

pub(super) fn provenance(tournament: &Tournament, journal: &Journal) -> String {
    let setup = &tournament.state().setup;
    let rows = [
        ("rules", escaped(&setup.rules)),
        ("seed of draws", setup.seed.to_string()),
        ("events", journal.events.len().to_string()),
        (
            "SHA-256 of setup and events",
            format!("<code>{}</code>", sha256_hex(journal.to_text().as_bytes())),
        ),
        (
            "SHA-256 of the state",
            format!(
                "<code>{}</code>",
                sha256_hex(tournament.to_json().as_bytes())
            ),
        ),
    ];
    let rows: String = rows
        .iter()
        .map(|(what, value)| format!("<dt>{what}</dt><dd>{value}</dd>"))
        .collect();
    format!(
        "<section><h2>Recomputing it</h2><dl>{rows}</dl>\n\
         <p class=\"caption\">`gradus tournament replay` computes all of this again from the file of setup and events.</p></section>\n"
    )
}
