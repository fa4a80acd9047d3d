//! The steps in order.

use super::{
    Candidate, CheckVerdict, Decision, Enrolled, Field, GateError, GateInput, GateOutcome, Need,
    Refusal, Refused, SourceState, opens,
};
use crate::entry::duplicates::{SourceFact, find_duplicates};
use crate::entry::identity::{Entrant, deduplicate};
use crate::entry::ledger::LedgerError;
use crate::entry::response::{TrainingRepoResponse, requested_datasets};
use crate::rules::{DuplicateRules, TokenRule, TypeEntry};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Decides, or says what it needs to know first.
///
/// # Errors
/// `NoSuchType` for a type that the rules do not have, `Ledger` if a fee's event is another one already.
pub fn decide(input: &GateInput<'_>) -> Result<GateOutcome, GateError> {
    let rules = &input.rules.entry;
    let TypeEntry::Open { field_min, fee_rao } = rules.of(input.tournament) else {
        return Err(GateError::NoSuchType {
            rules: input.rules.id.clone(),
            tournament: input.tournament,
        });
    };
    let mut refused = Vec::new();
    let answers = answered(input, &mut refused);
    let needs = missing_tokens(input, &answers);
    if !needs.is_empty() {
        return Ok(GateOutcome::Needs(needs));
    }
    let candidates = one_each(input, &answers, &mut refused);
    let (passed, needs) = checked(input, candidates, &mut refused);
    if !needs.is_empty() {
        return Ok(GateOutcome::Needs(needs));
    }
    let mut ledger = input.ledger.clone();
    let mut admitted = Vec::new();
    let mut fees = Vec::new();
    for entrant in passed {
        let payer = if rules.one_per_coldkey() {
            &entrant.coldkey
        } else {
            &entrant.hotkey
        };
        let tournament = (input.tournament_id, input.tournament);
        let fee = ledger.fee(tournament, &entrant.coldkey, payer, fee_rao);
        // A fee of an entry that was not recorded: the program ended between the two.
        let known = ledger.has(fee.id());
        match ledger.apply(fee.clone()) {
            Ok(_) => {
                if !known {
                    fees.push(fee);
                }
                admitted.push(entrant);
            }
            Err(error @ LedgerError::Insufficient { .. }) => {
                refuse(&mut refused, &entrant.hotkey, Refusal::Fee(error));
            }
            Err(error) => return Err(GateError::Ledger(error)),
        }
    }
    let entrants: Vec<&str> = (input.enrolled.iter().chain(&admitted))
        .map(|entrant| entrant.hotkey.as_str())
        .collect();
    if entrants.len() < field_min as usize {
        let field = Field::Waits {
            entrants: entrants.len(),
            field_min,
            until_unix_s: (input.now_unix_s).saturating_add(i64::from(rules.wait_minutes) * 60),
        };
        return Ok(GateOutcome::Decided(Decision {
            admitted,
            refused,
            fees,
            copies: Vec::new(),
            field,
        }));
    }
    let sources = match sources(input, &entrants) {
        Ok(sources) => sources,
        Err(needs) => return Ok(GateOutcome::Needs(needs)),
    };
    let copies = find_duplicates(&sources, input.boss);
    let mut fallen: HashSet<&str> = HashSet::new();
    for cluster in &copies {
        for hotkey in &cluster.dropped {
            fallen.insert(hotkey);
            refuse(&mut refused, hotkey, Refusal::Copy(cluster.clone()));
        }
    }
    let bracket = entrants
        .iter()
        .filter(|hotkey| !fallen.contains(*hotkey))
        .map(|hotkey| (*hotkey).to_owned())
        .collect();
    Ok(GateOutcome::Decided(Decision {
        field: Field::Ready { bracket },
        admitted,
        refused,
        fees,
        copies,
    }))
}

fn refuse(refused: &mut Vec<Refused>, hotkey: &str, refusal: Refusal) {
    refused.push(Refused {
        hotkey: hotkey.to_owned(),
        refusal,
    });
}

/// Candidates with an answer that is an entry. The boss and those who are enrolled are no candidates.
fn answered<'a>(
    input: &GateInput<'a>,
    refused: &mut Vec<Refused>,
) -> Vec<(&'a Candidate, &'a TrainingRepoResponse)> {
    let enrolled = input.enrolled.iter().map(|entrant| entrant.hotkey.as_str());
    let skipped: HashSet<&str> = enrolled.chain([input.boss]).collect();
    let mut seen = HashSet::new();
    let mut answers = Vec::new();
    for candidate in input.candidates {
        let hotkey = candidate.hotkey.as_str();
        if skipped.contains(hotkey) {
            continue;
        }
        if !seen.insert(hotkey) {
            refuse(refused, hotkey, Refusal::Twice);
            continue;
        }
        match &candidate.answer {
            None => refuse(refused, hotkey, Refusal::Silent),
            Some(Err(error)) => refuse(refused, hotkey, Refusal::Response(error.clone())),
            Some(Ok(response)) => answers.push((candidate, response)),
        }
    }
    answers
}

fn missing_tokens(
    input: &GateInput<'_>,
    answers: &[(&Candidate, &TrainingRepoResponse)],
) -> Vec<Need> {
    if input.rules.entry.tokens == TokenRule::None {
        return Vec::new();
    }
    answers
        .iter()
        .filter(|(candidate, response)| {
            response.github_token.is_some() && !input.facts.tokens.contains_key(&candidate.hotkey)
        })
        .map(|(candidate, _)| Need::Token {
            hotkey: candidate.hotkey.clone(),
        })
        .collect()
}

/// Candidates without those that fall to another of the same operator, with the tokens that count.
fn one_each<'a>(
    input: &GateInput<'a>,
    answers: &[(&'a Candidate, &'a TrainingRepoResponse)],
    refused: &mut Vec<Refused>,
) -> Vec<(&'a Candidate, TrainingRepoResponse)> {
    let counts = input.rules.entry.tokens == TokenRule::Verified;
    let enrolled = input.enrolled.iter().map(|entrant| Entrant {
        hotkey: entrant.hotkey.clone(),
        coldkey: entrant.coldkey.clone(),
        ip: entrant.ip,
        repository: entrant.response.repository.clone(),
        opens: false,
        enrolled: true,
    });
    let new = answers.iter().map(|(candidate, response)| Entrant {
        hotkey: candidate.hotkey.clone(),
        coldkey: candidate.coldkey.clone(),
        ip: candidate.ip,
        repository: response.repository.clone(),
        opens: counts
            && opens(
                input.facts,
                &candidate.hotkey,
                response.github_token.as_ref(),
            ),
        enrolled: false,
    });
    let (kept, fallen) = deduplicate(
        enrolled.chain(new).collect(),
        &input.rules.entry.deduplicate,
    );
    for duplicate in fallen {
        let hotkey = duplicate.hotkey.clone();
        refuse(refused, &hotkey, Refusal::Identity(duplicate));
    }
    let known: HashMap<&str, _> = answers
        .iter()
        .map(|answer| (answer.0.hotkey.as_str(), *answer))
        .collect();
    kept.iter()
        .filter_map(|entrant| {
            let (candidate, response) = known.get(entrant.hotkey.as_str())?;
            let mut response = (*response).clone();
            response.github_token = response.github_token.filter(|_| entrant.opens);
            Some((*candidate, response))
        })
        .collect()
}

/// Candidates whose commit, data sets, source and licence are as they must be, and what is not known of them yet.
fn checked(
    input: &GateInput<'_>,
    candidates: Vec<(&Candidate, TrainingRepoResponse)>,
    refused: &mut Vec<Refused>,
) -> (Vec<Enrolled>, Vec<Need>) {
    let rules = &input.rules.entry;
    let mut passed = Vec::new();
    let mut needs = Vec::new();
    for (candidate, response) in candidates {
        let hotkey = candidate.hotkey.as_str();
        let asked = response.commit(rules.commit).and_then(|commit| {
            let asked = &response.requested_datasets;
            requested_datasets(asked, input.datasets, rules.datasets).map(|given| (commit, given))
        });
        let (commit, datasets) = match asked {
            Ok(asked) => asked,
            Err(error) => {
                refuse(refused, hotkey, Refusal::Response(error));
                continue;
            }
        };
        match input.facts.obfuscation.get(hotkey) {
            None => {
                needs.push(Need::Obfuscation {
                    hotkey: hotkey.to_owned(),
                });
                continue;
            }
            Some(CheckVerdict::Clean) => {}
            Some(CheckVerdict::Rejected { code }) => {
                refuse(refused, hotkey, Refusal::Obfuscated { code: *code });
                continue;
            }
            Some(CheckVerdict::TimedOut { limit_ms }) => {
                let limit_ms = *limit_ms;
                refuse(refused, hotkey, Refusal::ObfuscationTimedOut { limit_ms });
                continue;
            }
        }
        match input.facts.licences.get(hotkey) {
            None => {
                needs.push(Need::Licence {
                    hotkey: hotkey.to_owned(),
                });
                continue;
            }
            Some(Ok(())) => {}
            Some(Err(error)) => {
                refuse(refused, hotkey, Refusal::Licence(error.clone()));
                continue;
            }
        }
        passed.push(Enrolled {
            hotkey: hotkey.to_owned(),
            coldkey: candidate.coldkey.clone(),
            ip: candidate.ip,
            response,
            commit,
            datasets,
        });
    }
    (passed, needs)
}

/// Sources of all entrants, and of the boss if it has one; none where the rules do not compare them.
fn sources(
    input: &GateInput<'_>,
    entrants: &[&str],
) -> Result<BTreeMap<String, SourceFact>, Vec<Need>> {
    if matches!(input.rules.entry.duplicates, DuplicateRules::None {}) {
        return Ok(BTreeMap::new());
    }
    let needs: Vec<Need> = entrants
        .iter()
        .filter(|hotkey| !input.facts.sources.contains_key(**hotkey))
        .map(|hotkey| Need::Source {
            hotkey: (*hotkey).to_owned(),
        })
        .collect();
    if !needs.is_empty() {
        return Err(needs);
    }
    Ok(entrants
        .iter()
        .chain([&input.boss])
        .filter_map(|hotkey| match input.facts.sources.get(*hotkey)? {
            SourceState::Read(fact) => Some(((*hotkey).to_owned(), fact.clone())),
            SourceState::Unavailable => None,
        })
        .collect())
}
