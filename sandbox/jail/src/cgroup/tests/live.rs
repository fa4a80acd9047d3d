//! On this host's own control groups. Where they cannot be used, every test prints that it was skipped.
//!
//! Groups are called `gradus-test-PID-N` and are removed when a test ends, however it ends; what a killed run left is swept by the next.

mod ending;
mod finding;
mod keeping;
mod limiting;
mod timing;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::cgroup::{
    Backend, Controller, Group, Host, Layout, Limits, Plan, Settings, plan, sweep,
};

const PREFIX: &str = "gradus-test-";
const HELPER: &str = "GRADUS_CGROUP_TEST_HELPER";
const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(20);

/// This host, if its groups can be used for all of this.
fn host_with(needed: &[Controller]) -> Option<&'static Host> {
    static HOST: OnceLock<Host> = OnceLock::new();
    let host = HOST.get_or_init(|| {
        let host = Host::discover(&Settings::default());
        sweep_dead(&host);
        // some tests do without version 2, and so have groups in hierarchies that are not used otherwise
        sweep_dead(&Host::probe(
            &Layout {
                v2: None,
                ..own_layout()
            },
            &Settings::default(),
            None,
        ));
        host
    });
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: control groups are tried as root only");
        return None;
    }
    for controller in needed {
        if host.backend(*controller) == Backend::None {
            eprintln!("SKIPPED: {}", host.why(*controller));
            return None;
        }
    }
    Some(host)
}

fn own_layout() -> Layout {
    let read = |path| std::fs::read_to_string(path).expect("proc is mounted");
    Layout::parse(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
}

/// Removes groups of test runs whose process is gone.
fn sweep_dead(host: &Host) {
    let parents = host
        .v2
        .iter()
        .chain(&host.v1)
        .map(|hierarchy| &hierarchy.parent);
    let names = parents
        .filter_map(|parent| std::fs::read_dir(parent).ok())
        .flatten()
        .flatten();
    let alive = |name: &String| {
        let pid = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        pid.is_none_or(|pid| Path::new("/proc").join(pid).exists())
    };
    let keep: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(alive)
        .collect();
    let swept = sweep(host, PREFIX, &keep).expect("the parents were just probed");
    if !swept.removed.is_empty() {
        eprintln!("swept {:?}", swept.removed);
    }
}

fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{PREFIX}{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Groups that are ended and removed with the test.
struct Guard {
    group: Group,
}

impl Guard {
    fn make(host: &Host, limits: &Limits) -> Guard {
        Guard {
            group: Group::create(&planned(host, limits)).expect("the host was probed"),
        }
    }
}

fn planned(host: &Host, limits: &Limits) -> Plan {
    let (plan, shortfalls) = plan(&fresh_name(), limits, host).expect("valid limits");
    assert_eq!(shortfalls, [], "the host was probed for them");
    plan
}

impl std::ops::Deref for Guard {
    type Target = Group;
    fn deref(&self) -> &Group {
        &self.group
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let ended = self.group.end(LONG).and_then(|()| self.group.remove(LONG));
        if let Err(error) = ended {
            eprintln!("{} is left: {error}; {}", self.group.name(), error.help());
        }
    }
}

/// A program that runs in groups from its first useful instruction on.
struct Job {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Job {
    /// A shell script.
    fn shell(group: &Group, script: &str) -> Job {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("read go; {script}"));
        Job::start(group, command)
    }

    /// One of [`helper`]'s programs.
    fn helper(group: &Group, program: &str) -> Job {
        Job::start(
            group,
            helper_command(
                &std::env::current_exe().expect("a test has a file"),
                program,
            ),
        )
    }

    fn start(group: &Group, command: Command) -> Job {
        let mut job = Job::outside(command);
        group
            .add(pid_of(&job.child), true)
            .expect("the group takes processes");
        job.go();
        job
    }

    /// One that waits outside for [`Job::go`].
    fn outside(mut command: Command) -> Job {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program can be started");
        let (stdin, stdout) = (
            child.stdin.take().expect("piped"),
            child.stdout.take().expect("piped"),
        );
        Job {
            child,
            stdin,
            stdout: BufReader::new(stdout),
        }
    }

    fn go(&mut self) {
        self.stdin.write_all(b"go\n").expect("it waits for it");
    }

    /// Its next line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout
            .read_line(&mut line)
            .expect("its output is text");
        line.trim_end().to_owned()
    }

    /// The rest of its output, and how it ended.
    fn end(mut self) -> (String, ExitStatus) {
        let mut text = String::new();
        self.stdout
            .read_to_string(&mut text)
            .expect("its output is text");
        (text, self.child.wait().expect("it is a child"))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32).expect("not 0")
}

/// How many processes the groups have.
fn count(group: &Group) -> usize {
    let lists = group
        .members
        .iter()
        .map(|member| member.dir.processes().expect("the group is there").len());
    lists.max().unwrap_or(0)
}

fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ask() {
        assert!(start.elapsed() < LONG, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn helper_command(program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", "cgroup::tests::live::helper", "--nocapture"])
        .env(HELPER, name);
    command
}

/// Not a test: what other tests run in their groups, as this same file.
#[test]
fn helper() {
    let Ok(program) = std::env::var(HELPER) else {
        return;
    };
    if program == "discover" {
        println!(
            "RESULT {}",
            serde_json::to_string(&Host::discover(&Settings::default())).expect("plain data")
        );
        return;
    }
    std::io::stdin()
        .read_line(&mut String::new())
        .expect("the test writes a line");
    match program.as_str() {
        "allocate" => {
            let mut kept = Vec::new();
            for _ in 0..64 {
                kept.push(std::hint::black_box(vec![1u8; 4 << 20]));
            }
            println!("RESULT {}", kept.len());
        }
        "fork" => {
            let mut children = Vec::new();
            let error = loop {
                match Command::new("sleep").arg("1000").spawn() {
                    Ok(child) => children.push(child),
                    Err(error) => break error.raw_os_error().unwrap_or(0),
                }
                if children.len() == 200 {
                    break 0;
                }
            };
            println!("RESULT {} {error}", children.len());
        }
        other => panic!("no helper {other}"),
    }
}

/// What a helper printed as its result.
fn result_of(output: &str) -> &str {
    let found = output.lines().find_map(|line| line.split_once("RESULT "));
    found.unwrap_or_else(|| panic!("no result in {output:?}")).1
}
