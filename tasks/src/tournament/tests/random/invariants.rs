//! What holds of every tournament that is over.

use crate::rules::RankShares;
use crate::tournament::state::Training;
use crate::tournament::*;
use crate::weights::vector::LostFor;
use crate::weights::{
    EmissionInput, Metagraph, PerType, Performance, Reign, TournamentType, TypeInput, pools,
    weight_vector,
};
use std::collections::HashSet;

pub(super) fn holds(tournament: &Tournament, context: &str) {
    let state = tournament.state();
    let result = tournament.result().unwrap();
    let boss = tournament.boss();
    let outcome = state.outcome.as_ref().unwrap();
    // One winner, and not one who is out.
    let out = |hotkey: &str| {
        let entrant = state
            .entrants
            .iter()
            .find(|entrant| entrant.hotkey == hotkey);
        entrant.and_then(|entrant| entrant.out)
    };
    assert_eq!(out(&outcome.winner), None, "{context}");
    assert_eq!(
        outcome.winner == boss,
        result.why != OutcomeReason::Challenger,
        "{context}"
    );
    for entrant in &state.entrants {
        assert_eq!(
            entrant.out.is_none(),
            entrant.hotkey == outcome.winner,
            "{context}"
        );
    }
    // Everybody has one place, and the places are those of a ranking.
    let mut placed = HashSet::new();
    let mut last = 0;
    for (index, place) in result.places.iter().enumerate() {
        assert!(placed.insert(&place.hotkey), "{context}: {}", place.hotkey);
        assert!(
            place.place as usize <= index + 1 && place.place >= last,
            "{context}"
        );
        last = place.place;
    }
    assert_eq!(result.places[0].hotkey, outcome.winner, "{context}");
    assert!(
        state
            .setup
            .entrants
            .iter()
            .all(|hotkey| placed.contains(hotkey)),
        "{context}"
    );
    // Nobody plays twice in a round, or once he is out; every round but the last is smaller than the one before it was.
    for round in &state.rounds {
        let contestants: Vec<&String> = round.places.iter().flatten().collect();
        let distinct: HashSet<&&String> = contestants.iter().collect();
        assert_eq!(distinct.len(), contestants.len(), "{context}");
        for hotkey in contestants {
            assert!(
                out(hotkey).is_none_or(|out| out.round >= round.number),
                "{context}"
            );
            let known = hotkey == boss || state.setup.entrants.contains(hotkey);
            assert!(known, "{context}: {hotkey}");
        }
        assert!(round.advanced.is_some(), "{context}");
    }
    let finals = state
        .rounds
        .iter()
        .filter(|round| round.kind.is_final())
        .count();
    assert_eq!(
        finals,
        usize::from(outcome.challenger.is_some()),
        "{context}"
    );
    // A training that failed had its attempts, and nobody has a score without one that succeeded.
    for contestant in state.tasks.iter().flat_map(|task| &task.contestants) {
        let scored = matches!(contestant.evaluation, state::Evaluation::Scored { .. });
        assert!(
            !scored || contestant.training == Training::Succeeded {},
            "{context}"
        );
    }
}

pub(super) fn weights_sum_to_one(tournament: &Tournament, context: &str) {
    let result = tournament.result().unwrap();
    let rules = &tournament.rules().emission;
    let reign = result.champion.as_ref().map(|_| Reign {
        first_won_unix_us: None,
        consecutive_wins: 1,
    });
    let known = TypeInput {
        performance: result.performance,
        entrants_newest_first: vec![result.entrants; 5],
        running: 0,
        reign,
    };
    let none = TypeInput {
        performance: Performance::NoTournament,
        entrants_newest_first: Vec::new(),
        running: 0,
        reign: None,
    };
    let of = |wanted| {
        if wanted == result.tournament_type {
            known.clone()
        } else {
            none.clone()
        }
    };
    let input = EmissionInput {
        now_unix_us: None,
        text: of(TournamentType::Text),
        image: of(TournamentType::Image),
        environment: rules.environment.map(|_| of(TournamentType::Environment)),
    };
    let pools = pools(rules, &input).unwrap();
    let mut results: PerType<Option<&crate::weights::Results>> = PerType::default();
    match result.tournament_type {
        TournamentType::Text => results.text = Some(&result.results),
        TournamentType::Image => results.image = Some(&result.results),
        TournamentType::Environment => results.environment = Some(&result.results),
    }
    let mut hotkeys = tournament.state().setup.entrants.clone();
    hotkeys.push("champion".to_owned());
    hotkeys.push(rules.burn_hotkey.clone());
    let participants = tournament.state().setup.entrants.clone();
    let metagraph = Metagraph::new(hotkeys).unwrap();
    let vector = weight_vector(rules, &pools, &results, &participants, &metagraph).unwrap();
    // What the burn hotkey wins where it plays for nobody is replaced by what is burned.
    let nobody = tournament.state().setup.champion.is_none();
    let lost = vector
        .lost
        .iter()
        .filter(|lost| nobody && lost.what == LostFor::BurnUid);
    let total = vector.total + lost.map(|lost| lost.weight).sum::<f64>();
    assert!(
        (total - 1.0).abs() < rules.total_tolerance,
        "{context}: {total}"
    );
    // By points nobody is paid where only the champion has any.
    let by_position = matches!(rules.ranks, RankShares::Positions { .. });
    if let Some(champion) = result.champion.as_ref().filter(|_| by_position) {
        let weight = |hotkey: &str| {
            metagraph
                .uid(hotkey)
                .map(|uid| vector.weights[usize::from(uid)])
        };
        assert!(
            weight(champion).unwrap() > 0.0,
            "{context}: the champion earns nothing"
        );
    }
}
