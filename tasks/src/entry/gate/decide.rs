//! The steps in order.

mod known;

use known::{fitting, missing_tokens, opens, sources};

use super::{
    Candidate, Decision, Enrolled, Field, GateError, GateInput, GateOutcome, Note, Refusal, Refused,
};
use crate::entry::duplicates::find_duplicates;
use crate::entry::facts::{CheckVerdict, Need};
use crate::entry::identity::{Entrant, deduplicate};
use crate::entry::ledger::{Ledger, LedgerError, LedgerEvent};
use crate::entry::response::{TrainingRepoResponse, requested_datasets};
use crate::rules::{EnvironmentBracket, TokenRule, TypeEntry};
use crate::weights::TournamentType;
use std::collections::{HashMap, HashSet};

/// Decides, or says what it needs to know first.
///
/// # Errors
/// `NoSuchType` for a type that the rules do not have, `Ledger` if a fee's event is another one already, `Stale` and
/// `SourceCommit` for facts of something that is not submitted.
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
    fitting(input, &answers)?;
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
    let mut notes = Vec::new();
    for entrant in unpaid(input, fee_rao) {
        let fee = fee(input, &ledger, entrant, fee_rao);
        let hotkey = entrant.hotkey.clone();
        match ledger.apply(fee.clone()) {
            Ok(_) => {
                fees.push(fee);
                notes.push(Note::FeeMissing { hotkey });
            }
            Err(error @ LedgerError::Insufficient { .. }) => {
                notes.push(Note::Unpaid { hotkey, error });
            }
            Err(error) => return Err(GateError::Ledger(error)),
        }
    }
    for entrant in passed {
        let fee = fee(input, &ledger, &entrant, fee_rao);
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
    let entrants: Vec<&Enrolled> = input.enrolled.iter().chain(&admitted).collect();
    if entrants.len() < field_min as usize {
        let field = Field::Waits {
            entrants: entrants.len(),
            field_min,
            until_unix_s: (input.now_unix_s).saturating_add(i64::from(rules.wait_minutes) * 60),
        };
        notes.extend(Note::of_fallen(&refused));
        return Ok(GateOutcome::Decided(Decision {
            admitted,
            refused,
            fees,
            copies: Vec::new(),
            field,
            notes,
        }));
    }
    let sources = match sources(input, &entrants)? {
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
    let bracket: Vec<String> = entrants
        .iter()
        .map(|entrant| entrant.hotkey.clone())
        .filter(|hotkey| !fallen.contains(hotkey.as_str()))
        .collect();
    notes.extend(Note::of_fallen(&refused));
    if bracket.len() < field_min as usize {
        notes.push(Note::FieldShrunk {
            bracket: bracket.len(),
            field_min,
        });
    }
    let least = least(input);
    let field = match bracket.len() < least as usize {
        true => Field::Stuck { bracket, least },
        false => Field::Ready { bracket },
    };
    Ok(GateOutcome::Decided(Decision {
        field,
        admitted,
        refused,
        fees,
        copies,
        notes,
    }))
}

/// The fee of an entrant.
fn fee(input: &GateInput<'_>, ledger: &Ledger, entrant: &Enrolled, fee_rao: u64) -> LedgerEvent {
    let payer = match input.rules.entry.one_per_coldkey() {
        true => &entrant.coldkey,
        false => &entrant.hotkey,
    };
    let tournament = (input.tournament_id, input.tournament);
    ledger.fee(tournament, &entrant.coldkey, payer, fee_rao)
}

/// Those who are enrolled and for whom nothing was taken: their fees did not get into the ledger. Who got a fee back has
/// paid one.
fn unpaid<'a>(input: &'a GateInput<'_>, fee_rao: u64) -> impl Iterator<Item = &'a Enrolled> {
    let ledger = input.ledger;
    let mut entries: HashMap<&str, u64> = HashMap::new();
    for entrant in input.enrolled {
        *entries.entry(&entrant.coldkey).or_default() += 1;
    }
    input.enrolled.iter().filter(move |entrant| {
        let coldkey = entrant.coldkey.as_str();
        let all = fee_rao.saturating_mul(entries[coldkey]);
        let paid = ledger.paid_rao(input.tournament_id, coldkey) >= all
            || ledger.has(fee(input, ledger, entrant, fee_rao).id())
            || ledger.gave_back(input.tournament_id, coldkey);
        !paid
    })
}

/// Entrants without whom the subnet draws no first round: one, or an environment group's least.
fn least(input: &GateInput<'_>) -> u32 {
    match (&input.rules.bracket.environment, input.tournament) {
        (EnvironmentBracket::Groups(groups), TournamentType::Environment) => {
            u32::try_from(groups.size_min).unwrap_or(u32::MAX).max(1)
        }
        _ => 1,
    }
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
        opens: counts && opens(input, &candidate.hotkey, response),
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
        let subject = response.subject(hotkey);
        match input.facts.obfuscation.get(&subject) {
            None => {
                needs.push(Need::Obfuscation(subject));
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
        match input.facts.licences.get(&subject) {
            None => {
                needs.push(Need::Licence(subject));
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
