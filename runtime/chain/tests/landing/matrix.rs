//! A kill at every step, under every fault, then a restart that looks. Of each: nothing lands twice, nothing is called verified that is not, and
//! no intent that was planned is lost.

use super::*;
use crate::child::{End, Kill, Task};
use gradus_node::{Fault, Garbage, Method, Node};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Cases that share a chain, each with a validator of its own.
const CASES_PER_CHAIN: usize = 64;

/// One of them.
#[derive(Clone, Debug)]
struct Case {
    commits: bool,
    hash: bool,
    fault: Option<Fault>,
    kill: Kill,
}

/// How a case ended.
struct Outcome {
    first: End,
    ended: Option<Word>,
    wrong: Option<String>,
}

/// What happens at the node's endpoint while the first process lives; `None` is nothing.
fn faults() -> Vec<Option<Fault>> {
    let mut all = vec![None];
    // Half a message is an answer that a deadline ends: two of the six kinds of garbage say the same.
    let faults = Fault::of_submissions(&Method::Submit).into_iter();
    let slow = |fault: &Fault| matches!(fault, Fault::Garbage(_, Garbage::Oversized(_)));
    all.extend(
        faults
            .map(|(fault, _)| fault)
            .filter(|fault| !slow(fault))
            .map(Some),
    );
    for method in [
        "chain_getBlock",
        "chain_getFinalizedHead",
        "state_getStorage",
    ] {
        all.push(Some(Fault::DropAfter(Method::Named(method))));
        all.push(Some(Fault::HangBefore(Method::Named(method))));
        all.push(Some(Fault::Garbage(
            Method::Named(method),
            Garbage::WrongScale,
        )));
    }
    all
}

/// Every place to die: around each record of a submission that goes well, and around handing it over.
fn kills(records: usize) -> Vec<Kill> {
    let around = (0..records).flat_map(|at| [Kill::Before(at), Kill::After(at)]);
    let mut kills: Vec<_> = around.collect();
    kills.extend([Kill::BeforeSubmit, Kill::AfterSubmit]);
    kills
}

/// Kills a process at a point, lets another go on, and judges what is on the chain.
fn case(chain: &Chain, validator: u16, one: &Case) -> Outcome {
    let (fault, kill, hash) = (one.fault.as_ref(), one.kill, one.hash);
    let place = tempfile::tempdir().expect("a directory");
    let node = Node::serve(chain).expect("loopback");
    if let Some(fault) = fault {
        // After the connection stands and the plan is made, where it is about reads.
        match fault {
            Fault::DropAfter(Method::Named(_)) | Fault::HangBefore(Method::Named(_)) => {
                node.inject_after(3, fault.clone());
            }
            Fault::Garbage(Method::Named(_), _) => node.inject_after(40, fault.clone()),
            Fault::Lag(_) | Fault::StaleNonce(_) => node.inject(fault.clone()),
            _ => node.inject_once(fault.clone()),
        }
    }
    let mut task = Task::new(chain, place.path(), vec![node.url()], validator);
    task.hash_commit = hash;
    task.kill = kill;
    let first = task.run();
    task.kill = Kill::Never;
    let planned = !task.status(chain).intents.is_empty();
    let account = pair(validator).account().0;
    if first == End::Killed && !planned && kill != Kill::Before(0) {
        return Outcome {
            first,
            ended: None,
            wrong: Some("the intent is lost".into()),
        };
    }
    if !planned && chain.submissions().iter().any(|one| one.account == account) {
        return Outcome {
            first,
            ended: None,
            wrong: Some("sent, and nowhere written down".into()),
        };
    }
    if first != End::Done {
        node.clear();
        let again = task.run();
        if again != End::Done {
            return Outcome {
                first,
                ended: None,
                wrong: Some(format!("{again:?}")),
            };
        }
    }
    let status = task.status(chain);
    let account = pair(validator).account().0;
    let (word, reason) = only(&status);
    let stored = chain.weights(NETUID, 0, uid(validator)) == STORED;
    // What an account has in blocks beyond one of each kind would have landed twice: a dispatch that failed did nothing.
    let mut kinds = BTreeMap::new();
    for one in chain.applied().iter().filter(|one| one.account == account) {
        *kinds.entry(one.call.clone()).or_insert(0) += usize::from(one.error.is_none());
    }
    let twice = kinds.values().any(|count| *count > 1);
    let wrong = if twice {
        Some(format!("landed twice: {kinds:?}"))
    } else if word == Word::Verified && !stored {
        Some("verified, and not stored".into())
    } else if !matches!(
        word,
        Word::Verified | Word::Expired | Word::Dropped | Word::Refused
    ) {
        Some(format!("not ended: {word}"))
    } else if stored && word != Word::Verified {
        Some(format!("stored, and {word}: {reason}"))
    } else {
        None
    };
    Outcome {
        first,
        ended: Some(word),
        wrong,
    }
}

/// Runs cases, several at once, until they are done or the time is over; how many were. A chain has some of them.
fn run(cases: &[Case], seconds: u64) -> usize {
    let begun = Instant::now();
    let words = Mutex::new(BTreeMap::<String, usize>::new());
    let wrongs = Mutex::new(Vec::new());
    let mut done = 0;
    for some in cases.chunks(CASES_PER_CHAIN) {
        let count = u16::try_from(some.len()).expect("few");
        let (open, hidden) = (chain(count, false, |_| ()), chain(count, true, |_| ()));
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while begun.elapsed().as_secs() < seconds {
                        let at = next.fetch_add(1, Ordering::SeqCst);
                        let Some(one) = some.get(at) else {
                            return;
                        };
                        let chain = if one.commits { &hidden } else { &open };
                        let outcome = case(chain, u16::try_from(at).expect("few"), one);
                        let word = outcome.ended.map_or("none".into(), |word| word.to_string());
                        let first = match outcome.first {
                            End::Done => "at once",
                            End::Killed => "after a kill",
                            End::Failed(_) => "after an error",
                        };
                        let mut words = words.lock().expect("no panic");
                        *words.entry(format!("{first}: {word}")).or_default() += 1;
                        drop(words);
                        if let Some(wrong) = outcome.wrong {
                            let what = format!("{wrong}: {one:?}");
                            wrongs.lock().expect("no panic").push(what);
                        }
                    }
                });
            }
        });
        done += next.load(Ordering::SeqCst).min(some.len());
    }
    println!(
        "{done} of {} cases in {} s: {:?}",
        cases.len(),
        begun.elapsed().as_secs(),
        words.into_inner().expect("no panic")
    );
    let wrongs = wrongs.into_inner().expect("no panic");
    assert!(wrongs.is_empty(), "{wrongs:#?}");
    done
}

/// Records of a submission that goes well: planned, attempt, sent, in a block, final, and the verdict; a commit has two more.
fn whole(step: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for (commits, hash, records) in [(false, false, 6), (true, false, 8), (true, true, 12)] {
        for fault in faults() {
            for kill in kills(records) {
                let fault = fault.clone();
                cases.push(Case {
                    commits,
                    hash,
                    fault,
                    kill,
                });
            }
        }
    }
    cases.into_iter().step_by(step).collect()
}

/// A part of the whole: a step that shares no factor with the number of places to die, so that every fault and every place has cases.
#[test]
fn a_kill_anywhere_loses_nothing_and_doubles_nothing() {
    let cases = whole(29);
    let done = run(&cases, 30);
    assert!(done * 4 >= cases.len(), "{done} of {} cases", cases.len());
}

#[test]
#[ignore = "minutes: every kill × every fault × every method"]
fn the_whole_matrix() {
    let cases = whole(1);
    assert_eq!(run(&cases, 3_600), cases.len());
}
