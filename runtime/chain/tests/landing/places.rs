//! Where a process runs: a disk without room, a machine whose clock is wrong, a chain that changes while nobody looks.

use super::*;
use crate::child::{End, Kill, TOO_LATE, Task};
use gradus_chain::land::Landing;
use gradus_chain::submission::{Chain as _, ChainError, Verdict};
use gradus_node::{ChainFault, Key, Node, Retracted, Spec};

/// Runs a task with its state on a file system of so many KiB, which ends with the process; `None` where none can be mounted.
fn on_small_disk(task: &Task, size_kib: u32) -> Option<(i32, String)> {
    let probe = std::process::Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "mount",
            "-t",
            "tmpfs",
            "tmpfs",
        ])
        .arg(&task.state)
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no file system can be mounted here");
        return None;
    }
    let script = format!("mount -t tmpfs -o size={size_kib}k tmpfs \"$0\" && exec \"$@\"");
    let mut shell = std::process::Command::new("unshare");
    shell
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .arg(&task.state);
    let output = task.command(shell).output().expect("starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Some((output.status.code().unwrap_or(-1), text))
}

#[test]
fn on_a_full_disk_nothing_is_sent_that_is_not_written_down() {
    let (open, hidden) = (chain(1, false, |_| ()), chain(80, true, |_| ()));
    let (first, second) = (Node::serve(&open), Node::serve(&hidden));
    let (first, second) = (first.expect("loopback"), second.expect("loopback"));
    let place = tempfile::tempdir().expect("a directory");
    // One page holds which chain it is: the plan has no room.
    let task = Task::new(&open, place.path(), vec![first.url()], 0);
    let Some((code, text)) = on_small_disk(&task, 4) else {
        return;
    };
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("nothing is submitted that is not written down"),
        "{text}"
    );
    assert!(text.contains("No space left"), "{text}");
    assert!(open.submissions().is_empty());
    // Two more pages hold the plan of many weights and the commit's records, and not the reveal's.
    let mut task = Task::new(&hidden, place.path(), vec![second.url()], 0);
    task.hash_commit = true;
    task.targets = 78;
    let on_disk = || on_small_disk(&task, 12).expect("as before");
    let (code, text) = match on_disk() {
        (_, text) if text.contains(TOO_LATE) => on_disk(),
        other => other,
    };
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("committed in block") && !text.contains("in effect"),
        "{text}"
    );
    assert!(text.contains("No space left"), "{text}");
    assert_eq!(
        hidden.applied_by(pair(0).account().0),
        1,
        "no reveal was sent"
    );
    assert_eq!(hidden.submissions().len(), 1);
}

#[test]
fn a_clock_that_is_wrong_stops_everything_before_it_begins() {
    let chain = chain(1, false, |config| config.start_ms -= 3_600_000);
    let node = Node::serve(&chain).expect("loopback");
    let urls = vec![node.url()];
    let mut policy = policy(1);
    policy.clock_skew_max = Duration::from_secs(180);
    let profile = Profile::local(NETUID, urls.clone());
    let endpoints = Endpoints::connect(&profile, &urls, policy).expect("a node");
    let pair = pair(0);
    let mut landing = Landing::new(&endpoints, &pair, |_| ());
    let Err(ChainError::Unavailable { why }) = landing.heads() else {
        panic!("heads by a wrong clock");
    };
    assert!(
        why.contains("clock is 3") && why.contains("set the clock"),
        "{why}"
    );
}

/// What the chain does between a kill and the restart, by whether it takes commits.
fn changes() -> Vec<(bool, ChainFault)> {
    let replace = |uid: u16| ChainFault::Replace {
        netuid: NETUID,
        uid,
        neuron: Box::new(Neuron::miner([99; 32])),
    };
    let reorg = |retracted| ChainFault::Reorg {
        depth: 1,
        retracted,
    };
    vec![
        (false, reorg(Retracted::Pool)),
        (false, reorg(Retracted::Lost)),
        (true, reorg(Retracted::Lost)),
        (false, ChainFault::Upgrade(Spec::V439)),
        (true, ChainFault::Upgrade(Spec::V439)),
        (false, ChainFault::UpgradeBehindExtrinsics(Spec::V439)),
        (true, ChainFault::UpgradeBehindExtrinsics(Spec::V439)),
        (false, replace(1)),
        (true, replace(1)),
        (false, replace(uid(0))),
        (
            false,
            ChainFault::Shrink {
                netuid: NETUID,
                size: 2,
            },
        ),
        (true, ChainFault::DropReveals(true)),
        (true, ChainFault::MissPulsesFrom(1)),
        (false, ChainFault::StallFinality(true)),
    ]
}

#[test]
fn a_chain_that_changes_while_nobody_looks_is_judged_by_what_it_stores() {
    for (commits, change) in changes() {
        for kill in [Kill::BeforeSubmit, Kill::AfterSubmit] {
            let chain = chain(1, commits, |_| ());
            let node = Node::serve(&chain).expect("loopback");
            let place = tempfile::tempdir().expect("a directory");
            let mut task = Task::new(&chain, place.path(), vec![node.url()], 0);
            task.kill = kill;
            assert_eq!(task.run(), End::Killed, "{kill:?}");
            chain.inject(change.clone());
            task.kill = Kill::Never;
            std::thread::scope(|scope| {
                let driven = scope.spawn(|| task.run());
                std::thread::sleep(Duration::from_millis(300));
                if matches!(change, ChainFault::StallFinality(_)) {
                    chain.inject(ChainFault::StallFinality(false));
                }
                assert_eq!(driven.join().expect("it ends"), End::Done);
            });
            let status = task.status(&chain);
            let (word, reason) = only(&status);
            let case = format!("{commits} {change:?} {kill:?}: {word}, {reason}");
            match word {
                // At that block: what comes later may take it away again.
                Word::Verified => {
                    let Some(Verdict::Verified { block }) = &status.intents[0].verdict else {
                        panic!("{case}");
                    };
                    let number = u32::try_from(block.number).expect("a young chain");
                    let block = chain.block(number).expect("a block");
                    let storage = block.storage.as_ref().expect("its state");
                    let keys = [Key::U16(NETUID), Key::U16(uid(0))];
                    let row: Vec<(u16, u16)> = storage.get(("SubtensorModule", "Weights"), &keys);
                    assert_eq!(row, STORED, "{case}");
                }
                Word::Expired | Word::Dropped | Word::Refused => {}
                _ => panic!("{case}"),
            }
            let account = pair(0).account().0;
            let applied = chain.applied();
            let own = applied.iter().filter(|one| one.account == account);
            assert!(own.filter(|one| one.error.is_none()).count() <= 1, "{case}");
        }
    }
}
