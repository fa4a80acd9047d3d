//! The state directory: locked, one chain's, and what is damaged is refused by name.

use super::memory::*;
use super::run::*;
use super::toy::*;
use crate::Hash;
use crate::submission::*;
use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;

const GENESIS: Hash = Hash([3; 32]);

fn open(directory: &Path) -> Result<Ledger, LedgerError> {
    Ledger::open(directory, "toy", Hash::of(b"block 0"))
}

fn named(name: &str) -> Intent {
    Intent {
        id: IntentId::new(name).expect("a name"),
        ..intent(Way::Plain)
    }
}

fn gave_up() -> Record {
    let reason = Expired::GaveUp { at_block: 180 };
    Record::Ended {
        at_block: 180,
        verdict: Verdict::Expired { reason },
    }
}

#[test]
fn one_process_and_one_chain_have_a_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = open(directory.path()).expect("free");
    let second = open(directory.path()).expect_err("locked");
    assert!(matches!(second, LedgerError::Locked { .. }), "{second}");
    drop(first);
    for (profile, genesis) in [("other", Hash::of(b"block 0")), ("toy", GENESIS)] {
        let other = Ledger::open(directory.path(), profile, genesis).expect_err("another chain");
        assert!(matches!(other, LedgerError::OtherChain { .. }), "{other}");
    }
    let mut ledger = open(directory.path()).expect("free again");
    let foreign = Intent {
        genesis: GENESIS,
        ..intent(Way::Plain)
    };
    let refused = ledger.plan(&foreign).expect_err("another chain's");
    assert!(matches!(refused, LedgerError::OtherChain { .. }));
    drop(ledger);
    fs::write(directory.path().join("ledger.json"), "{}").expect("writes");
    let refused = open(directory.path()).expect_err("no chain");
    assert!(
        matches!(refused, LedgerError::LedgerFile { .. }),
        "{refused}"
    );
}

#[test]
fn intents_are_there_again_and_their_names_are_given_once() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let mut ledger = open(directory.path()).expect("free");
    ledger.plan(&named("a")).expect("new");
    ledger.plan(&named("a")).expect("the same");
    let changed = Intent {
        version_key: 1,
        ..named("a")
    };
    let taken = ledger.plan(&changed).expect_err("another");
    assert!(matches!(taken, LedgerError::Taken { .. }), "{taken}");
    let second = ledger.plan(&named("b")).expect_err("the first is open");
    assert!(matches!(second, LedgerError::Open { .. }), "{second}");
    let elsewhere = Intent {
        mechanism: 1,
        ..named("c")
    };
    ledger.plan(&elsewhere).expect("another row");
    let unknown = ledger.resume(&named("z").id).expect_err("not there");
    assert!(matches!(unknown, LedgerError::Unknown { .. }));
    let (records, mut file) = ledger.resume(&named("a").id).expect("there");
    assert_eq!(records.len(), 1);
    file.append(&gave_up()).expect("room");
    ledger.plan(&named("b")).expect("the first is over");
    let path = directory.path().join("intents/a.journal");
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o077, 0, "a salt is nobody else's to read");
    drop(ledger);
    let ledger = open(directory.path()).expect("free");
    let status = Status::of(ledger.profile(), ledger.states());
    let words: Vec<_> = status
        .intents
        .iter()
        .map(|i| (i.id.as_str(), i.word))
        .collect();
    let expected = [
        ("a", Word::Expired),
        ("b", Word::Planned),
        ("c", Word::Planned),
    ];
    assert_eq!(words, expected);
    let json = serde_json::to_value(&status).expect("plain data");
    assert_eq!(json["version"], 1);
    assert_eq!(json["intents"][0]["history"][1]["word"], "expired");
    drop(ledger);
    fs::rename(&path, directory.path().join("intents/y.journal")).expect("renames");
    let renamed = open(directory.path()).expect_err("renamed");
    assert!(matches!(renamed, LedgerError::Renamed { .. }), "{renamed}");
}

/// Every cut of the last line is torn, every changed byte anywhere is damage or an end that is missing, none is another journal.
#[test]
fn torn_ends_are_cut_off_and_damage_is_refused_with_its_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("intents/a.journal");
    let mut ledger = open(directory.path()).expect("free");
    ledger.plan(&named("a")).expect("new");
    let before = fs::read(&path).expect("there");
    let (_, mut file) = ledger.resume(&named("a").id).expect("there");
    file.append(&gave_up()).expect("room");
    let whole = fs::read(&path).expect("there");
    for end in before.len() + 1..whole.len() {
        let keep_bytes = before.len() as u64;
        let read = read_journal(&whole[..end]);
        // Without its newline alone, the line was whole: its end is missing, and perhaps it was acted on.
        if end == whole.len() - 1 {
            assert!(matches!(read, Err(JournalError::NoNewline { line: 3 })));
            continue;
        }
        let (records, tail) = read.expect("torn");
        assert_eq!(
            (records.len(), tail),
            (1, Tail::Torn { keep_bytes }),
            "{end}"
        );
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        let read = read_journal(&changed);
        let line = 1 + whole[..at].iter().filter(|byte| **byte == b'\n').count();
        match (line, read) {
            (1, Err(JournalError::Header)) => {}
            (_, Err(JournalError::Damaged { line: named, .. })) if named == line => {}
            other => panic!("byte {at}: {other:?}"),
        }
    }
    // Sectors that were never written.
    let mut unwritten = before.clone();
    unwritten.extend([0; 600]);
    unwritten.extend(b"tail\n");
    let (records, tail) = read_journal(&unwritten).expect("torn");
    assert_eq!(records.len(), 1);
    assert!(matches!(tail, Tail::Torn { .. }));
    // A line that is left out, or twice.
    let lines: Vec<_> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for order in [&[0, 2][..], &[0, 1, 2, 2], &[0, 1, 1, 2]] {
        let moved: Vec<u8> = order.iter().flat_map(|at| lines[*at]).copied().collect();
        assert!(matches!(
            read_journal(&moved),
            Err(JournalError::Damaged { .. })
        ));
    }
    assert!(matches!(read_journal(lines[0]), Err(JournalError::Empty)));
    drop((ledger, file));
    // On disk: the torn end goes, and what follows stands in its place.
    fs::write(&path, &whole[..whole.len() - 5]).expect("writes");
    let mut ledger = open(directory.path()).expect("torn is no damage");
    let (records, mut file) = ledger.resume(&named("a").id).expect("there");
    assert_eq!(records.len(), 1);
    file.append(&gave_up()).expect("room");
    assert_eq!(fs::read(&path).expect("there"), whole);
    drop((ledger, file));
    let mut damaged = whole.clone();
    damaged[60] ^= 1;
    fs::write(&path, damaged).expect("writes");
    let refused = open(directory.path()).expect_err("damaged");
    assert!(refused.to_string().contains("a.journal"), "{refused}");
    assert_eq!(refused.owner(), crate::Owner::Host);
}

#[test]
fn on_a_full_disk_nothing_is_submitted() {
    let toy = chain(Way::Plain, &[]);
    let first = Record::Planned {
        intent: Box::new(intent(Way::Plain)),
    };
    let mut machine = Machine::resume(&[first]).expect("an intent");
    let mut full = IntentFile::full();
    let dead = Rc::new(RefCell::new(false));
    let mut node = Node {
        toy: toy.clone(),
        kill: Kill::Never,
        dead: dead.clone(),
    };
    let mut clock = ToyClock::new(toy.clone(), dead);
    let driven = drive(
        &mut machine,
        &mut full,
        &mut node,
        &mut ToyCipher,
        &mut clock,
        &LIMITS,
    );
    let error = driven.expect_err("no room");
    assert!(matches!(error, DriveError::Ledger { .. }), "{error}");
    assert_eq!(error.owner(), crate::Owner::Host);
    assert_eq!(
        toy.borrow().signed.len(),
        1,
        "it came as far as a signature"
    );
    assert_eq!(toy.borrow().submitted, []);
    // What could not be cut off again takes no more.
    let spoilt = full.append(&gave_up()).expect_err("spoilt");
    assert!(matches!(spoilt, LedgerError::Spoilt { .. }), "{spoilt}");
}

#[test]
fn one_who_only_looks_needs_no_lock_and_sees_what_is_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let look = || {
        let mine = named("a");
        Ledger::look(directory.path(), &mine.profile, mine.genesis)
    };
    assert_eq!(look().expect("nothing there").len(), 0);
    let mut ledger = open(directory.path()).expect("free");
    ledger.plan(&named("a")).expect("new");
    let planned = look().expect("while it is locked");
    assert_eq!(planned.len(), 1);
    assert!(!matches!(planned[0].stage(), Stage::Ended { .. }));
    let (_, mut file) = ledger.resume(&named("a").id).expect("there");
    file.append(&gave_up()).expect("room");
    let path = directory.path().join("intents/a.journal");
    let whole = fs::read(&path).expect("there");
    assert!(matches!(
        look().expect("whole")[0].stage(),
        Stage::Ended { .. }
    ));
    fs::write(&path, &whole[..whole.len() - 9]).expect("cut");
    assert!(!matches!(
        look().expect("torn")[0].stage(),
        Stage::Ended { .. }
    ));
    fs::write(&path, &whole).expect("whole again");
    let copy = directory.path().join("intents/b.journal");
    fs::copy(&path, &copy).expect("copies");
    assert!(matches!(look(), Err(LedgerError::Renamed { .. })));
    fs::remove_file(&copy).expect("there");
    fs::write(&path, &whole[..whole.len() - 1]).expect("cut");
    assert!(matches!(look(), Err(LedgerError::NoNewline { .. })));
}

#[test]
fn a_last_line_without_its_newline_stops_all_and_what_is_said_mends_it() {
    let place = tempfile::tempdir().expect("a directory");
    // As a person may name a directory.
    let directory = &place.path().join("it's here");
    let mut ledger = open(directory).expect("free");
    ledger.plan(&named("a")).expect("new");
    let (_, mut file) = ledger.resume(&named("a").id).expect("there");
    file.append(&gave_up()).expect("room");
    drop((ledger, file));
    let path = directory.join("intents/a.journal");
    let whole = fs::read(&path).expect("there");
    fs::write(&path, &whole[..whole.len() - 1]).expect("cut");
    let error = open(directory).expect_err("it is not known whether it was acted on");
    assert_eq!(error.owner(), crate::Owner::Host);
    let text = error.to_string();
    assert!(text.contains("line 3, the last of"), "{text}");
    // Word by word what the help says.
    let command = text.split('`').nth(1).expect("a command");
    let status = std::process::Command::new("/bin/sh")
        .args(["-c", command])
        .status();
    assert!(status.expect("a shell").success(), "{command}");
    assert_eq!(fs::read(&path).expect("there"), whole);
    let mut ledger = open(directory).expect("mended");
    let (records, _) = ledger.resume(&named("a").id).expect("there");
    assert_eq!(records.len(), 2);
}

#[test]
fn an_intent_of_which_nothing_can_land_is_given_up_and_no_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut ledger = open(directory.path()).expect("free");
    ledger.plan(&named("a")).expect("new");
    let unknown = ledger.abandon(&named("z").id).expect_err("not there");
    assert!(matches!(unknown, LedgerError::Unknown { .. }), "{unknown}");
    let ended = ledger.abandon(&named("a").id).expect("never sent");
    let verdict = Verdict::Expired {
        reason: Expired::Abandoned,
    };
    assert_eq!(ended.stage(), &Stage::Ended { verdict });
    ledger.plan(&named("b")).expect("nothing is in its way");
    let again = ledger.abandon(&named("a").id).expect_err("over");
    assert!(
        matches!(again, LedgerError::NotIdle { ended: true, .. }),
        "{again}"
    );
    // One that may land.
    let records = Plan::new(Way::Plain, Fault::None).run().records;
    let attempt = records
        .iter()
        .find(|record| matches!(record, Record::Attempt { .. }));
    let (_, mut file) = ledger.resume(&named("b").id).expect("there");
    file.append(attempt.expect("one")).expect("room");
    let alive = ledger.abandon(&named("b").id).expect_err("it may land");
    assert!(
        matches!(alive, LedgerError::NotIdle { ended: false, .. }),
        "{alive}"
    );
    drop((ledger, file));
    // What was given up stays it.
    let ledger = open(directory.path()).expect("free");
    let first = ledger.states().next().expect("a");
    assert!(matches!(first.stage(), Stage::Ended { .. }));
}
