//! `gradus sandbox oci`: bundles as tools start them.

use crate::binary::{Finished, gradus};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A bundle of one program, with containers and jobs of its own.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// None where jobs cannot be run.
    fn new() -> Option<Place> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let root = fs::read_to_string("/proc/self/status")
            .unwrap()
            .contains("\nUid:\t0\t0\t");
        let (true, Some(busybox)) = (root, busybox) else {
            println!("skipped: bundles are tried as root, with busybox (package busybox-static)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let place = Place { folder };
        let bin = place.path("bundle/rootfs/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::set_permissions(place.folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
        for made in ["proc", "sys", "dev", "tmp"] {
            fs::create_dir(place.path("bundle/rootfs").join(made)).unwrap();
        }
        fs::copy(busybox, bin.join("busybox")).unwrap();
        for name in [
            "sh", "id", "cat", "sleep", "ls", "echo", "kill", "grep", "test", "chmod",
        ] {
            symlink("busybox", bin.join(name)).unwrap();
        }
        place.configure("sleep 60", |_| {});
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a configuration that runs `script`, changed by `change`.
    fn configure(&self, script: &str, change: impl FnOnce(&mut Value)) {
        let kinds = ["pid", "network", "ipc", "uts", "mount"].map(|kind| json!({ "type": kind }));
        let mut config = json!({
            "ociVersion": "1.0.2",
            "root": { "path": "rootfs", "readonly": true },
            "process": { "args": ["sh", "-c", script], "env": ["PATH=/bin", "OWN=yes"], "cwd": "/" },
            "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
            "annotations": { "of": "test" },
            "linux": { "namespaces": kinds },
        });
        change(&mut config);
        fs::write(self.path("bundle/config.json"), config.to_string()).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(gradus());
        command
            .args(["sandbox", "--state"])
            .arg(self.path("state"))
            .args(["oci", "--root"])
            .arg(self.path("containers"))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// What it prints goes to files: a container's own streams stay open while it runs.
    fn oci(&self, arguments: &[&str]) -> Finished {
        let (out, errors) = (self.path("out"), self.path("errors"));
        let status = self
            .command(arguments)
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&errors).unwrap())
            .status()
            .unwrap();
        Finished {
            code: status.code(),
            stdout: fs::read_to_string(out).unwrap(),
            stderr: fs::read_to_string(errors).unwrap(),
        }
    }

    #[track_caller]
    fn fine(&self, arguments: &[&str]) -> String {
        let finished = self.oci(arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {}", finished.stderr);
        finished.stdout
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], words: &[&str]) {
        let finished = self.oci(arguments);
        assert_eq!(finished.code, Some(1), "{arguments:?}: {}", finished.stdout);
        for word in words {
            assert!(
                finished.stderr.contains(word),
                "{word}: {}",
                finished.stderr
            );
        }
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    }

    #[track_caller]
    fn create(&self, id: &str) {
        let bundle = self.path("bundle");
        self.fine(&["create", "--bundle", bundle.to_str().unwrap(), id]);
    }

    fn state(&self, id: &str) -> Value {
        serde_json::from_str(&self.fine(&["state", id])).unwrap()
    }

    #[track_caller]
    fn becomes(&self, id: &str, status: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.state(id)["status"] != status {
            assert!(Instant::now() < until, "{}", self.state(id));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Nothing of a container or job is left.
    #[track_caller]
    fn is_clean(&self) {
        for folder in ["containers", "state/jobs", "state/ids"] {
            assert_eq!(
                fs::read_dir(self.path(folder)).unwrap().count(),
                0,
                "{folder}"
            );
        }
    }
}

#[test]
fn a_container_is_created_started_stopped_and_deleted() {
    let Some(place) = Place::new() else { return };
    place.configure(
        "while ! test -e /dev/shm/go; do sleep 0.05; done; exit 3",
        |_| {},
    );
    let (bundle, pid_file) = (place.path("bundle"), place.path("pid"));
    let options = [
        "--bundle",
        bundle.to_str().unwrap(),
        "--pid-file",
        pid_file.to_str().unwrap(),
    ];
    place.fine(&[&["create"], &options[..], &["one"]].concat());
    let state = place.state("one");
    assert_eq!(state["status"], "created");
    assert_eq!(
        (state["id"].as_str(), state["annotations"]["of"].as_str()),
        (Some("one"), Some("test"))
    );
    assert_eq!(
        state["bundle"],
        bundle.canonicalize().unwrap().to_str().unwrap()
    );
    assert_eq!(
        fs::read_to_string(&pid_file).unwrap(),
        state["pid"].to_string()
    );
    // Set up, and its program not run: the first process and one that waits are all there is.
    let exe = fs::read_link(format!("/proc/{}/exe", state["pid"])).unwrap();
    assert!(
        exe.to_str().unwrap().contains("gradus-jail"),
        "{}",
        exe.display()
    );
    place.fails(
        &["create", "--bundle", bundle.to_str().unwrap(), "one"],
        &["error: ", "exists already"],
    );
    place.fine(&["start", "one"]);
    place.becomes("one", "running");
    place.fails(&["start", "one"], &["is running, expected created"]);
    place.fails(&["delete", "one"], &["is running, expected stopped"]);
    place.fine(&["exec", "one", "sh", "-c", "echo > /dev/shm/go"]);
    place.becomes("one", "stopped");
    assert!(place.state("one").get("pid").is_none());
    place.fails(&["kill", "one", "KILL"], &["is stopped"]);
    place.fine(&["delete", "one"]);
    place.fails(&["state", "one"], &["does not exist"]);
    place.is_clean();
}

#[test]
fn a_container_that_waits_is_killed_and_deleted() {
    let Some(place) = Place::new() else { return };
    for signal in ["KILL", "TERM"] {
        place.create("waits");
        // Signals that end no program do not end one that waits.
        place.fine(&["kill", "waits", "WINCH"]);
        assert_eq!(place.state("waits")["status"], "created");
        place.fine(&["kill", "waits", signal]);
        place.becomes("waits", "stopped");
        place.fails(&["start", "waits"], &["is stopped, expected created"]);
        place.fine(&["delete", "waits"]);
    }
    place.create("waits");
    place.fine(&["delete", "waits"]);
    place.is_clean();
}

#[test]
fn a_container_that_waits_dies_with_its_watcher() {
    let Some(place) = Place::new() else { return };
    place.create("waits");
    let first: u32 = place.state("waits")["pid"].to_string().parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{first}/status")).unwrap();
    let watcher = stat
        .lines()
        .find_map(|line| line.strip_prefix("PPid:\t"))
        .unwrap();
    let killed = Command::new("kill")
        .args(["-KILL", watcher])
        .status()
        .unwrap();
    assert!(killed.success());
    place.becomes("waits", "stopped");
    let until = Instant::now() + Duration::from_secs(10);
    while Path::new(&format!("/proc/{first}")).exists() {
        assert!(Instant::now() < until, "the job outlives its watcher");
        std::thread::sleep(Duration::from_millis(10));
    }
    place.fine(&["delete", "waits"]);
    place.is_clean();
}

#[test]
fn what_a_container_prints_is_its_creators_and_the_end_is_its_programs() {
    let Some(place) = Place::new() else { return };
    place.configure("echo out; echo wrong >&2; exit 7", |_| {});
    let bundle = place.path("bundle");
    let output = place
        .command(&["run", "--bundle", bundle.to_str().unwrap(), "prints"])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(7),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        (output.stdout.as_slice(), output.stderr.as_slice()),
        (&b"out\n"[..], &b"wrong\n"[..])
    );
    place.is_clean();
}

#[test]
fn signals_reach_the_program() {
    let Some(place) = Place::new() else { return };
    place.configure("trap 'exit 5' USR1; while :; do sleep 0.05; done", |_| {});
    place.create("listens");
    place.fine(&["start", "listens"]);
    // Not before it listens.
    std::thread::sleep(Duration::from_millis(300));
    place.fine(&["kill", "listens", "SIGUSR1"]);
    place.becomes("listens", "stopped");
    place.fails(&["kill", "listens", "NOSUCH"], &["is no signal"]);
    place.fine(&["delete", "listens"]);
    place.is_clean();
}

#[test]
fn programs_run_beside_it_have_no_rights_and_stand_still_with_it() {
    let Some(place) = Place::new() else { return };
    place.create("host");
    place.fails(&["exec", "host", "id"], &["is created, expected running"]);
    place.fine(&["start", "host"]);
    let said = place.fine(&[
        "exec",
        "--env",
        "MORE=too",
        "host",
        "sh",
        "-c",
        "id; echo $OWN $MORE; grep -E 'Cap|NoNew|Seccomp:' /proc/self/status",
    ]);
    assert!(said.starts_with("uid=0 gid=0\nyes too\n"), "{said}");
    for line in [
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let finished = place.oci(&["exec", "host", "sh", "-c", "exit 9"]);
    assert_eq!(finished.code, Some(9));
    let finished = place.oci(&["exec", "host", "nosuch"]);
    assert_eq!(finished.code, Some(127));
    place.fails(&["exec", "--cgroup", "..", "host", "id"], &["--cgroup"]);
    place.fine(&["pause", "host"]);
    assert_eq!(place.state("host")["status"], "paused");
    place.fails(&["exec", "host", "id"], &["is paused"]);
    place.fine(&["resume", "host"]);
    assert_eq!(place.state("host")["status"], "running");
    place.fine(&["delete", "--force", "host"]);
    place.fine(&["delete", "--force", "host"]);
    place.is_clean();
}

#[test]
fn hooks_are_run_in_order_and_a_failing_one_leaves_nothing() {
    let Some(place) = Place::new() else { return };
    let log = place.path("hooks");
    let hook = |word: &str| json!({ "path": "/bin/sh", "args": ["sh", "-c", format!("echo {word} >> {}", log.display())] });
    place.configure("exit 0", |config| {
        config["hooks"] = json!({
            "poststop": [hook("poststop")], "poststart": [hook("poststart")], "createRuntime": [hook("runtime")],
            "createContainer": [hook("container")], "prestart": [hook("pre1"), hook("pre2")],
            "startContainer": [{ "path": "/bin/test", "args": ["test", "-e", "/bin/busybox"] }],
        });
    });
    place.create("hooked");
    place.fine(&["start", "hooked"]);
    place.becomes("hooked", "stopped");
    place.fine(&["delete", "hooked"]);
    assert_eq!(
        fs::read_to_string(&log).unwrap(),
        "pre1\npre2\nruntime\ncontainer\npoststart\npoststop\n"
    );
    place.configure("exit 0", |config| {
        config["hooks"] =
            json!({ "prestart": [{ "path": "/bin/sh", "args": ["sh", "-c", "exit 4"] }] });
    });
    let bundle = place.path("bundle");
    place.fails(
        &["create", "--bundle", bundle.to_str().unwrap(), "fails"],
        &["hooks.prestart[0]", "exit status: 4"],
    );
    place.configure("exit 0", |config| {
        config["hooks"] = json!({ "startContainer": [{ "path": "/bin/sh", "args": ["sh", "-c", "exit 4"] }] });
    });
    place.create("inside");
    place.fails(&["start", "inside"], &["run first", "code 4"]);
    place.fine(&["delete", "inside"]);
    place.is_clean();
}

#[test]
fn what_a_bundle_asks_for_is_so_inside() {
    let Some(place) = Place::new() else { return };
    fs::create_dir(place.path("data")).unwrap();
    fs::write(place.path("data/file"), "given\n").unwrap();
    fs::write(place.path("bundle/rootfs/secret"), "hidden\n").unwrap();
    let data = place.path("data");
    let script = "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname /proc/self/oom_score_adj /data/file; \
        cat /proc/sys/net/ipv4/ip_forward; cat /secret; id -G; umask; \
        echo x 2>/dev/null > /data/new || echo read-only; \
        cat /bin/busybox > /dev/shm/x; chmod +x /dev/shm/x; /dev/shm/x true || echo not run";
    place.configure(script, |config| {
        config["hostname"] = json!("here");
        config["domainname"] = json!("there");
        config["process"]["oomScoreAdj"] = json!(321);
        config["process"]["user"] = json!({ "uid": 0, "gid": 0, "additionalGids": [5], "umask": 0o77 });
        config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
        config["linux"]["maskedPaths"] = json!(["/secret"]);
        let data = json!({ "destination": "/data", "type": "bind", "source": data, "options": ["rbind", "ro"] });
        let shm = json!({ "destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["noexec", "size=8m"] });
        config["mounts"].as_array_mut().unwrap().extend([data, shm]);
    });
    let bundle = place.path("bundle");
    let output = place
        .command(&["run", "--bundle", bundle.to_str().unwrap(), "asks"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.starts_with("here\nthere\n321\ngiven\n1\n0 5\n0077\nread-only\nnot run\n"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!place.path("data/new").exists());
    place.is_clean();
}

#[test]
fn a_root_that_may_be_written_is_written_in_place() {
    let Some(place) = Place::new() else { return };
    place.configure("echo written > /new", |config| {
        config["root"]["readonly"] = json!(false)
    });
    let bundle = place.path("bundle");
    place.fine(&["run", "--bundle", bundle.to_str().unwrap(), "writes"]);
    let new = place.path("bundle/rootfs/new");
    assert_eq!(fs::read_to_string(&new).unwrap(), "written\n");
    place.configure("echo again > /other", |_| {});
    assert_ne!(
        place
            .oci(&["run", "--bundle", bundle.to_str().unwrap(), "reads"])
            .code,
        Some(0)
    );
    assert!(!place.path("bundle/rootfs/other").exists());
    place.is_clean();
}

#[test]
fn hostile_bundles_are_refused_and_leave_nothing() {
    let Some(place) = Place::new() else { return };
    let bundle = place.path("bundle");
    let config = place.path("bundle/config.json");
    let arguments = ["create", "--bundle", bundle.to_str().unwrap(), "hostile"];
    fs::write(&config, vec![b'['; 10 << 20]).unwrap();
    place.fails(&arguments, &["10485760 bytes"]);
    fs::write(&config, "[".repeat(100_000)).unwrap();
    place.fails(&arguments, &["no configuration of a container"]);
    fs::write(&config, r#"{"ociVersion":"1.0.0","process":{"args":7}}"#).unwrap();
    place.fails(&arguments, &["no configuration of a container"]);
    fs::remove_file(&config).unwrap();
    place.fails(&arguments, &["config.json"]);
    place.configure("exit 0", |config| config["root"]["path"] = json!("nowhere"));
    place.fails(&arguments, &["nowhere"]);
    place.configure("exit 0", |config| config["linux"]["namespaces"] = json!([]));
    place.fails(&arguments, &["linux.namespaces"]);
    place.configure("exit 0", |config| {
        config["linux"]["readonlyPaths"] = json!(["/loop"])
    });
    symlink("loop", place.path("bundle/rootfs/loop")).unwrap();
    place.fails(&arguments, &["/loop"]);
    for id in ["", "..", "a/b", "-x y", &"x".repeat(200)] {
        assert_ne!(
            place
                .oci(&["create", "--bundle", bundle.to_str().unwrap(), "--", id])
                .code,
            Some(0),
            "{id:?}"
        );
    }
    place.is_clean();
}
