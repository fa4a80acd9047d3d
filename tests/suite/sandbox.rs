//! `gradus sandbox`: jobs as a user starts them.

use crate::binary::{Finished, gradus};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A state directory and a root file system of one program.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// None where jobs cannot be run: nobody else's root is used.
    pub(crate) fn new() -> Option<Place> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let root = fs::read_to_string("/proc/self/status")
            .unwrap()
            .contains("\nUid:\t0\t0\t");
        let (true, Some(busybox)) = (root, busybox) else {
            println!("skipped: jobs are tried as root, with busybox (package busybox-static)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("rootfs/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy(busybox, bin.join("busybox")).unwrap();
        for name in [
            "sh", "id", "cat", "sleep", "ls", "dd", "echo", "nc", "printf",
        ] {
            symlink("busybox", bin.join(name)).unwrap();
        }
        Some(Place { folder })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn sandbox(&self, arguments: &[&str]) -> Finished {
        let output = Command::new(gradus())
            .args(["sandbox", "--state"])
            .arg(self.path("state"))
            .args(arguments)
            .output()
            .unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn run(&self, options: &[&str], script: &str) -> Finished {
        let rootfs = self.path("rootfs");
        let mut arguments = vec!["run", "--rootfs", rootfs.to_str().unwrap()];
        arguments.extend(options);
        arguments.extend(["--", "sh", "-c", script]);
        self.sandbox(&arguments)
    }

    /// Nothing of a job is left.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        assert_eq!(fs::read_dir(self.path("state/jobs")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(self.path("state/ids")).unwrap().count(), 0);
        let state = self.path("state").canonicalize().unwrap();
        for device in fs::read_dir("/sys/block").unwrap() {
            let file = device.unwrap().path().join("loop/backing_file");
            let file = fs::read_to_string(file).unwrap_or_default();
            assert!(!file.starts_with(state.to_str().unwrap()), "{file}");
        }
    }
}

#[test]
fn a_job_says_and_ends_as_its_program_does() {
    let Some(place) = Place::new() else { return };
    let finished = place.run(&[], "id; echo wrong >&2; exit 7");
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (Some(7), "uid=0 gid=0\n"),
        "{}",
        finished.stderr
    );
    assert_eq!(finished.stderr, "wrong\n");
    place.is_clean();
}

#[test]
fn how_a_job_ended_is_an_exit_code_and_a_file() {
    let Some(place) = Place::new() else { return };
    let result = place.path("ended.json");
    let result = result.to_str().unwrap();
    for (options, script, code, kind) in [
        (
            &["--memory", "32MiB"][..],
            "dd if=/dev/zero of=/dev/null bs=64M count=1",
            137,
            "out_of_memory",
        ),
        (
            &["--time", "200ms", "--grace", "100ms"],
            "trap '' TERM; while :; do sleep 1; done",
            124,
            "deadline",
        ),
        (
            &["--log", "100KiB"],
            "while :; do echo yes; done",
            137,
            "log_flood",
        ),
        (&[], "kill -SEGV $$", 139, "signalled"),
        (&[], "exit 3", 3, "exited"),
    ] {
        let finished = place.run(&[options, &["--json", result]].concat(), script);
        assert_eq!(finished.code, Some(code), "{kind}: {}", finished.stderr);
        let ended: Value = serde_json::from_slice(&fs::read(result).unwrap()).unwrap();
        assert_eq!(ended["outcome"]["kind"], kind);
        assert_eq!(ended["left"], serde_json::json!([]), "{kind}");
    }
    place.is_clean();
}

#[test]
fn a_program_that_is_not_there_is_named_and_leaves_nothing() {
    let Some(place) = Place::new() else { return };
    let rootfs = place.path("rootfs");
    let finished = place.sandbox(&["run", "--rootfs", rootfs.to_str().unwrap(), "--", "train"]);
    finished.complains(127, &["program \\\"train\\\"", "No such file"]);
    let finished = place.sandbox(&["run", "--rootfs", rootfs.to_str().unwrap(), "--", "/bin"]);
    finished.complains(126, &["program \\\"/bin\\\"", "Permission denied"]);
    place.is_clean();
}

#[test]
fn inputs_are_read_only_and_outputs_are_taken_whole() {
    let Some(place) = Place::new() else { return };
    fs::create_dir(place.path("data")).unwrap();
    fs::write(place.path("data/rows"), "held out\n").unwrap();
    let input = format!("{}:/data", place.path("data").display());
    let taken = place.path("results/here");
    let options = [
        "--input",
        &input,
        "--output",
        "model:/out",
        "--take",
        taken.to_str().unwrap(),
    ];
    let finished = place.run(
        &options,
        "cat /data/rows > /out/copy; echo x > /data/rows || echo refused",
    );
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (Some(0), "refused\n"),
        "{}",
        finished.stderr
    );
    assert_eq!(
        fs::read_to_string(taken.join("model/copy")).unwrap(),
        "held out\n"
    );
    assert_eq!(
        fs::read_to_string(place.path("data/rows")).unwrap(),
        "held out\n"
    );
    place.is_clean();
}

#[test]
fn a_detached_job_is_listed_followed_and_ended() {
    let Some(place) = Place::new() else { return };
    let started = place.run(&["--detach", "--name", "long"], "echo begun; sleep 100");
    assert_eq!(
        (started.code, started.stdout.as_str()),
        (Some(0), "long\n"),
        "{}",
        started.stderr
    );
    let listed = place.sandbox(&["ps", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["state"]),
        (&"long".into(), &"running".into())
    );
    let mut log = String::new();
    for _ in 0..100 {
        log = place.sandbox(&["logs", "long"]).stdout;
        if !log.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(log.ends_with("out | begun\n"), "{log:?}");
    let killed = place.sandbox(&["kill", "long", "--grace", "0s"]);
    assert_eq!(
        (killed.code, killed.stdout.as_str()),
        (Some(0), "long: cancelled\n"),
        "{}",
        killed.stderr
    );
    let inspected = place.sandbox(&["inspect", "long"]);
    let inspected: Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!(inspected["ended"]["outcome"]["kind"], "cancelled");
    assert_eq!(inspected["plan"]["hostname"], "job");
    assert_eq!(place.sandbox(&["gc"]).stdout, "long: cancelled\n");
    place
        .sandbox(&["logs", "long"])
        .complains(125, &["there is no job \\\"long\\\""]);
    place.is_clean();
}

/// Nobody's id, on this host or another.
const USER: u32 = 64_321;

#[test]
fn a_user_without_privileges_runs_jobs_and_reads_what_holds() {
    let Some(place) = Place::new() else { return };
    fs::set_permissions(place.path(""), Permissions::from_mode(0o755)).unwrap();
    // Where it is built the user may have no way.
    fs::copy(gradus(), place.path("gradus")).unwrap();
    fs::create_dir(place.path("home")).unwrap();
    chown(place.path("home"), Some(USER), Some(USER)).unwrap();
    let sandbox = |arguments: &[&str]| {
        let mut command = Command::new(place.path("gradus"));
        command.args(["sandbox", "--state"]);
        command.arg(place.path("home/state")).args(arguments);
        command.uid(USER).gid(USER).env("HOME", place.path("home"));
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Finished {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    };
    let rootfs = place.path("rootfs");
    let run = ["run", "--rootfs", rootfs.to_str().unwrap()];
    let strict = sandbox(&[&run[..], &["--", "id"]].concat());
    strict.complains(
        125,
        &["the limit of memory (no control group", "--best-effort"],
    );
    let options = ["--best-effort", "--keep", "--name", "mine", "--", "id"];
    let finished = sandbox(&[&run[..], &options].concat());
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (Some(0), "uid=0 gid=0\n"),
        "{}",
        finished.stderr
    );
    let inspected = sandbox(&["inspect", "mine"]).stdout;
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let holds = |what: &str| {
        let all = inspected["guarantees"].as_array().unwrap();
        let one = all.iter().find(|one| one["what"] == what);
        one.unwrap_or_else(|| panic!("{what}: {inspected:#}"))["holds"] == true
    };
    for what in [
        "limit of processes",
        "limit of disk",
        "system calls by name",
    ] {
        assert!(holds(what), "{what}: {inspected:#}");
    }
    for what in ["user ids that nobody else has", "devices by number"] {
        assert!(!holds(what), "{what}: {inspected:#}");
    }
    let doctor = sandbox(&["doctor", "--json", "--require", "production"]);
    let findings: Value = serde_json::from_str(&doctor.stdout).unwrap();
    let job = &findings[1];
    assert_eq!(
        (&job["what"], &job["state"]),
        (&"a job".into(), &"limited".into())
    );
    let detail = job["detail"].as_str().unwrap();
    assert!(
        detail.contains("without: user ids that nobody else has"),
        "{detail}"
    );
    assert_eq!(doctor.code, Some(1));
    assert_eq!(sandbox(&["gc"]).stdout, "mine: exit code 0\n");
}

#[test]
fn a_dry_run_prints_everything_and_starts_nothing() {
    let Some(place) = Place::new() else { return };
    let finished = place.run(&["--dry-run", "--memory", "64MiB"], "exit 1");
    let plan: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(
        (&plan["identity"]["count"], &plan["seccomp"]),
        (&65536.into(), &"trainer".into())
    );
    assert!(plan["cgroup"].to_string().contains("67108864"), "{plan:#}");
    place.is_clean();
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let Some(place) = Place::new() else { return };
    let rootfs = place.path("rootfs");
    let rootfs = rootfs.to_str().unwrap();
    place
        .sandbox(&["run", "--rootfs", rootfs, "--time", "90", "--", "sh"])
        .complains(2, &["a number with ms, s, m or h"]);
    place
        .sandbox(&["run", "--rootfs", rootfs, "--env", "A", "--", "sh"])
        .complains(2, &["NAME=VALUE is expected"]);
    place
        .sandbox(&["run", "--rootfs", rootfs, "--name", "A b", "--", "sh"])
        .complains(2, &["job name \"A b\""]);
    place
        .sandbox(&["run", "--rootfs", "/nowhere", "--", "sh"])
        .complains(125, &["/nowhere"]);
}

#[test]
fn the_doctor_runs_a_job_and_leaves_nothing() {
    let Some(place) = Place::new() else { return };
    let finished = place.sandbox(&["doctor", "--json"]);
    let findings: Value = serde_json::from_str(&finished.stdout).unwrap();
    let job = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["what"] == "a job")
        .unwrap();
    assert_eq!(job["state"], "ready", "{findings:#}");
    place.is_clean();
}

/// The world here is a server of this machine's loopback, which the job's own loopback does not reach.
#[test]
fn a_job_reaches_the_hosts_that_it_may_and_no_others() {
    let Some(place) = Place::new() else { return };
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = server.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut client, _) = server.accept().unwrap();
        let mut request = [0; 4];
        client.read_exact(&mut request).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\nfound").unwrap();
        request
    });
    let log = place.path("requests.jsonl");
    let script = format!(
        "echo $https_proxy
         for host in {host} other.example.org; do printf \"GET http://$host/x HTTP/1.1\\r\\n\\r\\n\" | nc 127.0.0.1 3128; echo; done
         nc -w 1 {} </dev/null || echo closed",
        host.replace(':', " ")
    );
    let options = ["--allow-host", &host, "--egress-log", log.to_str().unwrap()];
    let run = place.run(&options, &script);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(&serving.join().unwrap(), b"GET ");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[0], "http://127.0.0.1:3128");
    assert!(run.stdout.contains("found"), "{}", run.stdout);
    assert!(
        run.stdout
            .contains("HTTP/1.1 403 other.example.org port 80"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.ends_with("closed\n"), "{}", run.stdout);
    assert!(
        run.stderr.contains("1 of 2 requests refused"),
        "{}",
        run.stderr
    );
    let records = fs::read_to_string(&log).unwrap();
    let records: Vec<Value> = records
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records[0]["target"], format!("http://{host}/x"));
    assert_eq!(records[0]["verdict"]["kind"], "passed");
    assert_eq!(records[1]["verdict"]["kind"], "refused");
    place.is_clean();
}

#[test]
fn jobs_side_by_side_find_each_other_by_address() {
    let Some(place) = Place::new() else { return };
    let rootfs = place.path("rootfs");
    let rootfs = rootfs.to_str().unwrap();
    let serve = "while :; do echo hello | nc -l -p 7000; done";
    let detached = place.sandbox(&[
        "run", "--rootfs", rootfs, "--name", "serves", "--detach", "--", "sh", "-c", serve,
    ]);
    assert_eq!(detached.code, Some(0), "{}", detached.stderr);
    let ask =
        "until [ \"$(nc 127.0.0.1 7000 </dev/null)\" = hello ]; do sleep 0.01; done; echo found";
    let run = place.run(&["--next-to", "serves"], ask);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), "found\n"),
        "{}",
        run.stderr
    );
    place.sandbox(&["kill", "--grace", "0s", "serves"]);
    let late = place.run(&["--next-to", "serves"], ":");
    assert!(
        late.stderr
            .contains("does not run, and its network was to be shared"),
        "{}",
        late.stderr
    );
    place.sandbox(&["gc"]);
    place.is_clean();
}
