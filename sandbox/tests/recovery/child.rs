//! Supervisors in processes of their own: this test's program again, with a part to play.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{env, fs};

use gradus_sandbox::job::{Job, ScratchKind};
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::sandbox::{Sandbox, SandboxError};
use gradus_sandbox::state::{Phase, StateError};

use crate::busybox::job_on;

const PART: &str = "GRADUS_TEST_PART";
const PLACE: &str = "GRADUS_TEST_PLACE";

/// What the jobs of these tests do; their exit code tells that they have done it.
pub(crate) const SCRIPT: &str = "echo said; echo written > /out/file; exit 3";

/// A process that plays a part.
pub(crate) struct Supervisor {
    pub(crate) process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// The program and arguments of a process that plays `part` in the folder with `rootfs` and `state`.
pub(crate) fn command(mut command: Command, place: &Path, part: &str) -> Command {
    command
        .args(["--exact", "child::plays_its_part", "--nocapture"])
        .env(PART, part)
        .env(PLACE, place);
    command
}

pub(crate) fn program() -> PathBuf {
    env::current_exe().unwrap()
}

impl Supervisor {
    pub(crate) fn play(place: &Path, part: &str) -> Supervisor {
        Supervisor::spawn(command(Command::new(program()), place, part))
    }

    pub(crate) fn spawn(mut command: Command) -> Supervisor {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Supervisor {
            process,
            input,
            output,
        }
    }

    /// The next thing that it says; none where it has ended.
    pub(crate) fn hear(&mut self) -> Option<String> {
        self.output
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once('@')?.1.to_owned()))
    }

    pub(crate) fn go(&mut self) {
        self.input.write_all(b"go\n").unwrap();
    }
}

fn say(what: &str) {
    println!("@{what}");
}

fn wait_for_go() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// Nothing, unless another test has started this process.
#[test]
fn plays_its_part() {
    let Ok(part) = env::var(PART) else {
        return;
    };
    let place = PathBuf::from(env::var_os(PLACE).unwrap());
    let sandbox = Sandbox::open(&place.join("state")).unwrap();
    let job = |name: &str, script: &str| job_on(&place.join("rootfs"), name, script);
    let (part, argument) = part.split_once(' ').unwrap_or((&part, ""));
    match part {
        "life" => life(&sandbox, &job(argument, SCRIPT)),
        "start" => {
            for index in 0..argument.parse().unwrap() {
                let sleeper = job(&format!("sleeper-{index}"), "sleep 1000");
                std::mem::forget(sandbox.start(&sleeper).unwrap());
            }
            say("started");
            wait_for_go();
        }
        "churn" => churn(&sandbox, &job, argument),
        "flat" => flat(&sandbox, &job("flat", SCRIPT), argument.parse().unwrap()),
        "host" => host(&sandbox, job("host", SCRIPT), argument),
        _ => panic!("no such part: {part}"),
    }
}

/// One job from its start to its removal.
fn life(sandbox: &Sandbox, job: &Job) {
    say(fs::read_link("/proc/thread-self")
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap());
    wait_for_go();
    match sandbox.start(job) {
        Ok(mut started) => {
            let _ = started.wait();
            let _ = sandbox.wait(&job.name);
            let _ = sandbox.outputs(&job.name);
            // It waits for the watcher without asking again and again: two lives make the same calls.
            let _ = sandbox.finish(started);
        }
        Err(_) => drop(sandbox.remove(&job.name)),
    }
    say("done");
}

/// Jobs of its own, and everybody's whenever it looks: says how many of its own have ended as they should.
fn churn(sandbox: &Sandbox, job: &dyn Fn(&str, &str) -> Job, who: &str) {
    let gone = |result: Result<(), SandboxError>| match result {
        Ok(())
        | Err(SandboxError::State(StateError::Missing(_) | StateError::Exists(_)))
        | Err(SandboxError::Runs(_)) => {}
        Err(error) => panic!("{error}: {error:?}"),
    };
    say("ready");
    wait_for_go();
    let mut good = 0;
    for turn in 0..12 {
        let mut job = job(&format!("{who}-{turn}"), SCRIPT);
        job.scratch = ScratchKind::Memory;
        let mut started = sandbox.start(&job).unwrap();
        assert_eq!(sandbox.recover().unwrap(), [""; 0], "nobody was killed");
        let ended = started.wait().unwrap();
        good += u32::from(ended.outcome == (Outcome::Exited { code: 3 }) && ended.left.is_empty());
        for other in sandbox.jobs().unwrap() {
            assert_ne!(other.phase, Phase::Lost, "{}", other.name);
            if matches!(other.phase, Phase::Ended(_)) {
                gone(sandbox.remove(&other.name));
            }
        }
        // One name that all of them want.
        job.name = "wanted".to_owned();
        gone(sandbox.start(&job).map(|mut started| {
            let ended = started.wait().unwrap();
            assert_eq!(ended.outcome, Outcome::Exited { code: 3 });
        }));
    }
    say(&good.to_string());
}

/// Many launches: says how much memory this process had after a hundredth of them, a tenth, and all.
fn flat(sandbox: &Sandbox, job: &Job, launches: u32) {
    let job = Job {
        scratch: ScratchKind::Memory,
        ..job.clone()
    };
    for launch in 1..=launches {
        sandbox.start(&job).unwrap().wait().unwrap();
        sandbox.remove(&job.name).unwrap();
        if [launches / 100, launches / 10, launches].contains(&launch) {
            say(&crate::memory::resident_kib("self").to_string());
        }
    }
}

/// Starts a job on a host that lacks something: says what came of it.
fn host(sandbox: &Sandbox, mut job: Job, how: &str) {
    job.scratch = ScratchKind::Memory;
    job.best_effort = how != "strict";
    if how == "killed" {
        job.argv[2] = "sleep 1000 & sleep 1000".to_owned();
    }
    match sandbox.start(&job) {
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            say(&format!("{error}; {source:?}").replace('\n', "; "));
        }
        Ok(mut started) if how == "killed" => {
            say(&started.processes.watcher.to_string());
            wait_for_go();
            say(&format!("{:?}", started.wait().is_err()));
            say(&format!("{:?}", sandbox.recover().unwrap()));
            sandbox.remove(&job.name).unwrap();
        }
        Ok(mut started) => {
            say(&format!("{:?}", started.wait().unwrap().outcome));
            sandbox.remove(&job.name).unwrap();
        }
    }
}
