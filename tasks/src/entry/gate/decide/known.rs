//! What is known of submissions, what is not yet, and what is known of others.

use crate::entry::duplicates::SourceFact;
use crate::entry::facts::{Need, SourceState, Subject, TokenFact};
use crate::entry::gate::{Candidate, Enrolled, GateError, GateInput};
use crate::entry::response::{Commit, TrainingRepoResponse};
use crate::rules::{DuplicateRules, TokenRule};
use std::collections::{BTreeMap, HashMap};

/// Refuses facts of hotkeys that submit something else.
pub(super) fn fitting(
    input: &GateInput<'_>,
    answers: &[(&Candidate, &TrainingRepoResponse)],
) -> Result<(), GateError> {
    let answered = answers.iter().map(|(candidate, response)| {
        (
            candidate.hotkey.as_str(),
            response.subject(&candidate.hotkey),
        )
    });
    let enrolled = (input.enrolled.iter()).map(|one| (one.hotkey.as_str(), one.subject()));
    let submitted: HashMap<&str, Subject> = answered.chain(enrolled).collect();
    for (fact, subject) in input.facts.subjects() {
        match submitted.get(subject.hotkey()) {
            Some(expected) if expected != subject => {
                return Err(GateError::Stale {
                    fact,
                    hotkey: subject.hotkey().to_owned(),
                    found: subject.what(),
                    expected: expected.what(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a token counts: given, and found to open its repository.
pub(super) fn opens(input: &GateInput<'_>, hotkey: &str, response: &TrainingRepoResponse) -> bool {
    let found = input.facts.tokens.get(&response.subject(hotkey));
    response.github_token.is_some() && found == Some(&TokenFact::Opens)
}

/// Tokens that were given and that nobody tried yet, where the rules ask.
pub(super) fn missing_tokens(
    input: &GateInput<'_>,
    answers: &[(&Candidate, &TrainingRepoResponse)],
) -> Vec<Need> {
    if input.rules.entry.tokens == TokenRule::None {
        return Vec::new();
    }
    answers
        .iter()
        .filter(|(candidate, response)| {
            response.github_token.is_some()
                && !(input.facts.tokens).contains_key(&response.subject(&candidate.hotkey))
        })
        .map(|(candidate, response)| Need::Token(response.subject(&candidate.hotkey)))
        .collect()
}

/// Sources of all entrants, and of the boss if it has one; none where the rules do not compare them. Or what is not known.
pub(super) fn sources(
    input: &GateInput<'_>,
    entrants: &[&Enrolled],
) -> Result<Result<BTreeMap<String, SourceFact>, Vec<Need>>, GateError> {
    if matches!(input.rules.entry.duplicates, DuplicateRules::None {}) {
        return Ok(Ok(BTreeMap::new()));
    }
    let mut sources = BTreeMap::new();
    let mut needs = Vec::new();
    for entrant in entrants {
        let hotkey = || entrant.hotkey.clone();
        let subject = entrant.subject();
        match (input.facts.sources.get(&subject), &entrant.commit) {
            (None, _) => needs.push(Need::Source(subject)),
            (Some(SourceState::Read(fact)), Commit::Sha(sha)) if fact.commit != *sha => {
                return Err(GateError::SourceCommit {
                    hotkey: hotkey(),
                    found: fact.commit.clone(),
                    expected: sha.clone(),
                });
            }
            (Some(SourceState::Read(fact)), _) => {
                sources.insert(hotkey(), fact.clone());
            }
            (Some(SourceState::Unavailable), _) => {}
        }
    }
    if !needs.is_empty() {
        return Ok(Err(needs));
    }
    if let Some(fact) = &input.facts.boss_source {
        sources.insert(input.boss.to_owned(), fact.clone());
    }
    Ok(Ok(sources))
}
