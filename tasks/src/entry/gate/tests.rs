use super::*;
use crate::entry::duplicates::SourceFact;
use crate::entry::facts::{CheckVerdict, SourceState, TokenFact};
use crate::rules::{ExtraFields, Identity};

mod facts;
mod notes;
mod refused;

const FEE: u64 = 700_000_000;

fn number(name: &str) -> u32 {
    name.bytes()
        .map(u32::from)
        .fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte))
}

/// A commit of its own.
fn sha(name: &str) -> String {
    format!("{:040x}", number(name))
}

/// A candidate of its own address, owner, coldkey and commit; `more` is what its answer says besides.
fn candidate(name: &str, more: &str) -> Candidate {
    let json = format!(
        r#"{{"github_repo":"https://github.com/{name}/r"{}{more}}}"#,
        if more.contains("commit_hash") {
            String::new()
        } else {
            format!(r#","commit_hash":"{}""#, sha(name))
        }
    );
    Candidate {
        hotkey: name.to_owned(),
        coldkey: format!("cold-{name}"),
        ip: std::net::Ipv4Addr::from(number(name)).into(),
        answer: Some(TrainingRepoResponse::from_json(
            json.as_bytes(),
            ExtraFields::Ignored,
        )),
    }
}

struct World {
    rules: RuleSet,
    enrolled: Vec<Enrolled>,
    candidates: Vec<Candidate>,
    facts: Facts,
    datasets: HashSet<String>,
    ledger: Ledger,
}

impl World {
    fn new(names: &[&str]) -> Self {
        let candidates = names.iter().map(|name| candidate(name, "")).collect();
        let mut world = Self {
            rules: RuleSet::newest(),
            enrolled: Vec::new(),
            candidates,
            facts: Facts::default(),
            datasets: HashSet::from(["a/b".to_owned()]),
            ledger: Ledger::new(),
        };
        for name in names {
            world.pay(name, FEE);
            world.clean(name);
        }
        world
    }

    fn pay(&mut self, name: &str, amount_rao: u64) {
        let id = format!("in-{name}-{}", self.ledger.events().len());
        let coldkey = format!("cold-{name}");
        let event = LedgerEvent::TransferIn {
            id,
            coldkey,
            amount_rao,
        };
        self.ledger.apply(event).unwrap();
    }

    /// What a candidate submits, or is enrolled with.
    fn subject(&self, name: &str) -> Subject {
        let candidate = self.candidates.iter().find(|one| one.hotkey == name);
        let answer = candidate.and_then(|candidate| candidate.answer.as_ref());
        answer.unwrap().as_ref().unwrap().subject(name)
    }

    fn clean(&mut self, name: &str) {
        self.obfuscation(name, CheckVerdict::Clean);
        self.licence(name, Ok(()));
        self.source(name, &sha(name), &format!("digest-{name}"));
    }

    fn obfuscation(&mut self, name: &str, verdict: CheckVerdict) {
        let subject = self.subject(name);
        self.facts.obfuscation.insert(subject, verdict);
    }

    fn licence(&mut self, name: &str, said: Result<(), LicenceRefusal>) {
        let subject = self.subject(name);
        self.facts.licences.insert(subject, said);
    }

    fn token(&mut self, name: &str, fact: TokenFact) {
        let subject = self.subject(name);
        self.facts.tokens.insert(subject, fact);
    }

    fn source(&mut self, name: &str, commit: &str, digest: &str) {
        let fact = SourceFact {
            commit: commit.to_owned(),
            digest: digest.to_owned(),
        };
        let subject = self.subject(name);
        self.facts.sources.insert(subject, SourceState::Read(fact));
    }

    /// Answers otherwise; what was known of the answer before is forgotten, and the new one is clean but for its source.
    fn answers(&mut self, name: &str, more: &str) {
        let old = self.subject(name);
        let facts = &mut self.facts;
        facts.tokens.remove(&old);
        facts.obfuscation.remove(&old);
        facts.licences.remove(&old);
        let source = facts.sources.remove(&old);
        let place = self.candidates.iter_mut().find(|one| one.hotkey == name);
        let place = place.unwrap();
        place.answer = candidate(name, more).answer;
        self.obfuscation(name, CheckVerdict::Clean);
        self.licence(name, Ok(()));
        let subject = self.subject(name);
        if let Some(source) = source {
            self.facts.sources.insert(subject, source);
        }
    }

    fn input(&self) -> GateInput<'_> {
        GateInput {
            rules: &self.rules,
            tournament: TournamentType::Text,
            tournament_id: "t1",
            now_unix_s: 1_000,
            boss: "boss",
            enrolled: &self.enrolled,
            candidates: &self.candidates,
            facts: &self.facts,
            datasets: &self.datasets,
            ledger: &self.ledger,
        }
    }

    fn decision(&self) -> Decision {
        match decide(&self.input()).unwrap() {
            GateOutcome::Decided(decision) => decision,
            GateOutcome::Needs(needs) => panic!("{needs:?}"),
        }
    }

    fn needs(&self) -> Vec<Need> {
        match decide(&self.input()).unwrap() {
            GateOutcome::Needs(needs) => needs,
            GateOutcome::Decided(decision) => panic!("{decision:?}"),
        }
    }

    /// Records a decision, as a program does.
    fn record(&mut self, decision: &Decision) {
        for fee in &decision.fees {
            self.ledger.apply(fee.clone()).unwrap();
        }
        self.enrolled.extend(decision.admitted.iter().cloned());
    }
}

fn bracket(decision: &Decision) -> String {
    match &decision.field {
        Field::Ready { bracket } => bracket.join(" "),
        waits => panic!("{waits:?}"),
    }
}

fn why<'a>(decision: &'a Decision, hotkey: &str) -> &'a Refusal {
    let refused: Vec<_> = decision
        .refused
        .iter()
        .filter(|refused| refused.hotkey == hotkey)
        .collect();
    assert_eq!(refused.len(), 1, "{hotkey}: {refused:?}");
    &refused[0].refusal
}

#[test]
fn enough_good_entrants_make_a_bracket_and_pay_once() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    let first = world.decision();
    assert_eq!(bracket(&first), "a b c d");
    assert_eq!((first.fees.len(), first.refused.len()), (4, 0));
    assert_eq!(first, world.decision());
    // Fees taken, entries not recorded: nobody pays again.
    for fee in &first.fees {
        world.ledger.apply(fee.clone()).unwrap();
    }
    assert_eq!(world.ledger.balance_rao("cold-a"), 0);
    let again = world.decision();
    assert_eq!((bracket(&again).as_str(), again.fees.len()), ("a b c d", 0));
}

#[test]
fn too_few_wait_and_those_who_are_in_stay_in() {
    let mut world = World::new(&["a", "b", "c"]);
    let decision = world.decision();
    assert_eq!(
        decision.field,
        Field::Waits {
            entrants: 3,
            field_min: 4,
            until_unix_s: 1_000 + 1_800
        }
    );
    world.record(&decision);
    world.candidates.push(candidate("d", ""));
    world.clean("d");
    world.pay("d", FEE);
    let decision = world.decision();
    assert_eq!(decision.admitted.len(), 1);
    assert_eq!(bracket(&decision), "a b c d");
    // Another of an enrolled coldkey does not come in by waiting.
    let mut twin = candidate("twin", r#","github_token":"t""#);
    twin.coldkey = "cold-a".to_owned();
    world.candidates.push(twin);
    world.clean("twin");
    world.token("twin", TokenFact::Opens);
    let decision = world.decision();
    let expected = Duplicate {
        hotkey: "twin".to_owned(),
        identity: Identity::Coldkey,
        kept: "a".to_owned(),
    };
    assert_eq!(why(&decision, "twin"), &Refusal::Identity(expected));
}

#[test]
fn only_facts_that_decide_are_asked_for() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    world.facts = Facts::default();
    world.candidates[1] = candidate("b", r#","github_token":"t""#);
    world.candidates[2] = candidate("c", r#","commit_hash":"main""#);
    world.candidates[3].ip = world.candidates[0].ip;
    let (a, b) = (world.subject("a"), world.subject("b"));
    assert_eq!(world.needs(), [Need::Token(b.clone())]);
    world.token("b", TokenFact::Dropped);
    // Neither c, whose commit is none, nor d, who shares an address.
    assert_eq!(
        world.needs(),
        [Need::Obfuscation(a.clone()), Need::Obfuscation(b)]
    );
    world.obfuscation("a", CheckVerdict::Clean);
    world.obfuscation("b", CheckVerdict::Rejected { code: 1 });
    assert_eq!(world.needs(), [Need::Licence(a)]);
    world.licence("a", Ok(()));
    // Too few: sources are not looked at yet.
    assert!(matches!(
        world.decision().field,
        Field::Waits { entrants: 1, .. }
    ));
}

#[test]
fn a_token_that_opens_wins_and_one_that_does_not_is_dropped() {
    let mut world = World::new(&["a", "b", "c", "d", "e"]);
    world.answers("b", r#","github_token":"t""#);
    world.candidates[1].ip = world.candidates[0].ip;
    world.token("b", TokenFact::Opens);
    let decision = world.decision();
    assert_eq!(bracket(&decision), "b c d e");
    assert!(decision.admitted[0].response.github_token.is_some());
    world.token("b", TokenFact::Dropped);
    assert_eq!(bracket(&world.decision()), "a c d e");
    world.candidates[1].ip = "9.9.9.9".parse().unwrap();
    let decision = world.decision();
    assert_eq!(bracket(&decision), "a b c d e");
    assert!(decision.admitted[1].response.github_token.is_none());
}

#[test]
fn no_text_of_a_decision_has_a_token() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    world.answers("a", r#","github_token":"SECRET""#);
    world.token("a", TokenFact::Opens);
    let decision = world.decision();
    assert_eq!(
        decision.admitted[0]
            .response
            .github_token
            .as_ref()
            .unwrap()
            .expose(),
        "SECRET"
    );
    assert!(!format!("{decision:?} {:?}", world.input()).contains("SECRET"));
    assert!(!world.subject("a").to_string().contains("SECRET"));
}
