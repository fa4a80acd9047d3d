//! The process that is killed: this test's own binary, started again with one test and an order in its environment.

use super::killing::{Killing, Sending};
use super::*;
use gradus_chain::Hash;
use gradus_chain::land::{Basis, Landing, Stopping, Wanted, Watched, prepare};
use gradus_chain::node::{Head, report};
use gradus_chain::submission::{
    BeaconCipher, Driven, Intent, Ledger, Machine, Method, Origin, Record, Target, Verdict, drive,
};
use gradus_chain::timelock::Beacon;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ORDER: &str = "GRADUS_LANDING_ORDER";

/// Where a process kills itself, with the signal that no process can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kill {
    /// Never.
    Never,
    /// Before the record of this number is written; the plan is 0.
    Before(usize),
    /// After it is on disk.
    After(usize),
    /// The extrinsic is on disk, and not yet handed to a node.
    BeforeSubmit,
    /// A node has it, and nobody here knows.
    AfterSubmit,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a verdict.
    Done,
    /// By its own hand.
    Killed,
    /// With an error, and all that it said.
    Failed(String),
}

/// A refusal before anything is written down: with blocks of 250 ms a round can be out before a commit near an epoch's end.
pub(crate) const TOO_LATE: &str = "RevealRound";

/// The exit code of an error.
const FAILED: i32 = 3;

/// What a process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) state: PathBuf,
    pub(crate) urls: Vec<String>,
    pub(crate) required: usize,
    pub(crate) validator: u16,
    pub(crate) beacon: (String, u64, u32),
    pub(crate) hash_commit: bool,
    /// How many uids have weight, from 0 on.
    pub(crate) targets: u16,
    pub(crate) kill: Kill,
}

impl Task {
    pub(crate) fn new(chain: &Chain, state: &Path, urls: Vec<String>, validator: u16) -> Self {
        let drand = chain.drand();
        Self {
            state: state.to_owned(),
            required: urls.len().min(2),
            urls,
            validator,
            beacon: (drand.public_key(), drand.genesis_s(), drand.period_s()),
            hash_commit: false,
            targets: VALUES.len() as u16,
            kill: Kill::Never,
        }
    }

    /// Does it in a process of its own, and again where it was refused for being too near an epoch's end.
    pub(crate) fn run(&self) -> End {
        let mut end = self.run_once();
        for _ in 0..8 {
            match &end {
                End::Failed(text) if text.contains(TOO_LATE) => end = self.run_once(),
                _ => break,
            }
        }
        end
    }

    fn run_once(&self) -> End {
        let output = self.output();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        match (output.status.code(), output.status.signal()) {
            (Some(0), _) => End::Done,
            (Some(FAILED), _) => End::Failed(text),
            (None, Some(9)) => End::Killed,
            _ => panic!("{:?}: {text}", output.status),
        }
    }

    pub(crate) fn output(&self) -> Output {
        self.command(Command::new("env")).output().expect("starts")
    }

    /// The process that does it, as the last words of a command.
    pub(crate) fn command(&self, mut command: Command) -> Command {
        let order = serde_json::to_string(self).expect("plain data");
        command
            .arg(std::env::current_exe().expect("a path"))
            .args(["--exact", "child::process", "--nocapture"])
            .arg("--test-threads=1")
            .env(ORDER, order)
            .stdin(Stdio::null());
        command
    }

    fn cipher(&self) -> BeaconCipher<ChaCha20Rng> {
        let (key, genesis_s, period_s) = &self.beacon;
        let beacon = Beacon::new(key, *genesis_s, *period_s).expect("a beacon");
        BeaconCipher::new(beacon, self.rng())
    }

    fn rng(&self) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(u64::from(self.validator) << 32 | u64::from(std::process::id()))
    }

    /// What came of it, by its files alone.
    pub(crate) fn status(&self, chain: &Chain) -> Status {
        let ledger = Ledger::open(&self.state, "local", Hash(chain.genesis_hash()));
        let ledger = ledger.expect("a whole directory");
        Status::of(ledger.profile(), ledger.states())
    }

    /// The intent by what the chain is now.
    fn intent(&self, endpoints: &Endpoints) -> Result<Intent, Box<dyn std::error::Error>> {
        let account = pair(self.validator).account();
        let pinned = endpoints.pin(Head::Best);
        let pinned = pinned.or_else(|_| endpoints.pin(Head::Finalized))?;
        let facts = report::facts(&pinned, NETUID, 0, account)?;
        let wanted = Wanted {
            profile: "local".into(),
            netuid: NETUID,
            mechanism: 0,
            hotkey: account,
            targets: (0..self.targets).map(target).collect(),
            version_key: 0,
            origin: Origin::Results,
        };
        let basis = Basis {
            facts: &facts,
            capabilities: pinned.first().capabilities(),
            genesis: endpoints.genesis(),
            finalized_number: pinned.finalized.number,
            timestamp_ms: pinned.timestamp_ms,
            alarm_percent: 75,
        };
        let prepared = prepare(&wanted, &basis, &mut self.cipher(), &mut self.rng());
        let prepared = prepared?;
        if let Err(refusals) = prepared.verdict {
            return Err(format!("{refusals:?}").into());
        }
        let mut intent = prepared.intent;
        if self.hash_commit {
            let salt = (0..8).collect();
            intent.method = Method::HashCommit { salt };
        }
        Ok(intent)
    }

    /// What a process does: plans if nothing is planned, and drives to the end.
    pub(crate) fn go(&self) -> Result<Verdict, Box<dyn std::error::Error>> {
        let endpoints = connect(&self.urls, self.required)?;
        let genesis = Hash(endpoints.genesis().0);
        let mut ledger = Ledger::open(&self.state, "local", genesis)?;
        let known = ledger.states().next().map(|state| state.intent().clone());
        let intent = match known {
            Some(intent) => intent,
            None => {
                let intent = self.intent(&endpoints)?;
                self.kill.before(0);
                ledger.plan(&intent)?;
                self.kill.after(0);
                intent
            }
        };
        let (records, journal) = ledger.resume(&intent.id)?;
        let mut machine = Machine::resume(&records)?;
        let mut number = records.len();
        let kill = self.kill;
        let journal = Killing {
            journal,
            number,
            kill,
        };
        let mut journal = Watched::new(journal, |record: &Record| {
            println!("{record}");
            kill.after(number);
            number += 1;
        });
        let pair = pair(self.validator);
        let landing = Landing::new(&endpoints, &pair, |left_out| println!("{left_out}"));
        let mut chain = Sending { landing, kill };
        let mut clock = Stopping::faster(|| false, FASTER);
        let driven = drive(
            &mut machine,
            &mut journal,
            &mut chain,
            &mut self.cipher(),
            &mut clock,
            &limits(),
        )?;
        match driven {
            Driven::Ended(verdict) => Ok(verdict),
            Driven::Overdue { .. } | Driven::Stopped => {
                unreachable!("nobody stops it, and epochs go on")
            }
        }
    }
}

fn target(uid: u16) -> Target {
    let value = VALUES.iter().find(|(known, _)| *known == uid);
    Target {
        uid,
        value: value.map_or(1, |(_, value)| *value),
        hotkey: match u8::try_from(uid) {
            Ok(number) if number < MINERS => miner(number),
            _ => pair(uid - u16::from(MINERS)).account(),
        },
    }
}

/// Not a test of its own: what `Task::run` starts.
#[test]
fn process() {
    let Ok(order) = std::env::var(ORDER) else {
        return;
    };
    let task: Task = serde_json::from_str(&order).expect("an order");
    match task.go() {
        Ok(verdict) => println!("{verdict}"),
        Err(error) => {
            let mut next: Option<&dyn std::error::Error> = Some(&*error);
            while let Some(error) = next {
                eprintln!("{error}");
                next = error.source();
            }
            std::process::exit(FAILED);
        }
    }
}
