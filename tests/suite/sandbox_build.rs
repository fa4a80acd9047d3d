//! `gradus sandbox build` and `image`: images as a user builds, moves and runs them.

use crate::binary::{Finished, finish_job, gradus};
use crate::rootfs;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A state directory with an image `base`, and a context.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// None where images cannot be built.
    fn new() -> Option<Place> {
        let busybox = rootfs::busybox()?;
        let place = Place {
            folder: tempfile::tempdir().unwrap(),
        };
        let applets = [
            "sh", "id", "cat", "sleep", "ls", "pwd", "echo", "env", "head", "nc", "printf",
        ];
        rootfs::install(busybox, &place.path("context/root/bin"), &applets);
        let base = "FROM scratch\nCOPY root/ /\nCOPY <<E /etc/passwd\napp:x:7:8::/:/bin/sh\nE\n";
        let built = place.build(base, &["-t", "base"]);
        assert_eq!(built.code, Some(0), "{}", built.stderr);
        fs::remove_dir_all(place.path("context/root")).unwrap();
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sandbox(&self, arguments: &[&str]) -> Finished {
        finish_job(
            Command::new(gradus())
                .args(["sandbox", "--state"])
                .arg(self.path("state"))
                .args(arguments),
        )
    }

    fn build(&self, text: &str, options: &[&str]) -> Finished {
        self.build_bytes(text.as_bytes(), options)
    }

    fn build_bytes(&self, text: &[u8], options: &[&str]) -> Finished {
        let file = self.path("Dockerfile");
        fs::write(&file, text).unwrap();
        let context = self.path("context");
        let mut arguments = vec![
            "build",
            context.to_str().unwrap(),
            "-f",
            file.to_str().unwrap(),
        ];
        arguments.extend(options);
        self.sandbox(&arguments)
    }
}

#[test]
fn an_image_is_built_listed_moved_and_run() {
    let Some(place) = Place::new() else { return };
    fs::write(place.path("context/run.sh"), "id; pwd; echo $A $0 \"$@\"\n").unwrap();
    let result = place.path("built.json");
    let text = "FROM base\nENV A=b\nRUN echo -e '\\033[31mred' && echo x > /made\nWORKDIR /w\nCOPY run.sh .\nUSER app\n\
        ENTRYPOINT [\"sh\", \"run.sh\"]\nCMD [\"one\", \"two\"]\n";
    let built = place.build(
        text,
        &["-t", "trainer:1", "--json", result.to_str().unwrap()],
    );
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    // What a command prints does not reach the terminal as it is.
    assert!(
        built.stderr.contains("\\x1b[31mred") && !built.stderr.contains('\u{1b}'),
        "{}",
        built.stderr
    );
    let digest = built.stdout.trim();
    let json: Value = serde_json::from_slice(&fs::read(&result).unwrap()).unwrap();
    assert_eq!(json["image"], digest);
    assert_eq!(json["bases"][0]["reference"], "base");
    assert_eq!(json["steps"].as_array().unwrap().len(), 8);
    let listed = place.sandbox(&["image", "list"]);
    assert!(
        listed.stdout.contains("trainer:1") && listed.stdout.contains(&digest[..19]),
        "{}",
        listed.stdout
    );

    let said = "uid=7(app) gid=8\n/w\nb run.sh ";
    for name in ["trainer:1", digest] {
        let ran = place.sandbox(&["run", "--image", name]);
        assert_eq!(
            (ran.code, ran.stdout),
            (Some(0), format!("{said}one two\n")),
            "{}",
            ran.stderr
        );
    }
    let ran = place.sandbox(&[
        "run",
        "--image",
        "trainer:1",
        "--env",
        "A=c",
        "--user",
        "3",
        "--",
        "three",
    ]);
    assert_eq!(
        ran.stdout, "uid=3 gid=3\n/w\nc run.sh three\n",
        "{}",
        ran.stderr
    );
    let ran = place.sandbox(&[
        "run",
        "--image",
        "trainer:1",
        "--entrypoint",
        "cat",
        "--",
        "/made",
    ]);
    assert_eq!(ran.stdout, "x\n", "{}", ran.stderr);

    let layout = place.path("layout");
    let layout = layout.to_str().unwrap();
    let exported = place.sandbox(&["image", "export", "trainer:1", layout]);
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    assert_eq!(
        place.sandbox(&["image", "remove", "trainer:1"]).code,
        Some(0)
    );
    assert_eq!(
        place.sandbox(&["run", "--image", "trainer:1"]).code,
        Some(125)
    );
    let imported = place.sandbox(&["image", "import", layout, "-t", "other"]);
    assert_eq!(
        (imported.code, imported.stdout.trim()),
        (Some(0), digest),
        "{}",
        imported.stderr
    );
    let ran = place.sandbox(&["run", "--image", "other"]);
    assert_eq!(ran.stdout, format!("{said}one two\n"));
    // Nothing is left of builds and runs; with a name it stays.
    let collected = place.sandbox(&["image", "gc", "--age", "0s"]);
    assert_eq!(collected.code, Some(0), "{}", collected.stderr);
    assert_eq!(
        fs::read_dir(place.path("state/images/leases"))
            .unwrap()
            .count(),
        0
    );
    assert_eq!(fs::read_dir(place.path("state/jobs")).unwrap().count(), 0);
    assert_eq!(
        fs::read_dir(place.path("state/images/layers"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn an_image_stays_as_long_as_a_job_runs_on_it() {
    let Some(place) = Place::new() else { return };
    let leases = || {
        fs::read_dir(place.path("state/images/leases"))
            .unwrap()
            .count()
    };
    let ran = place.sandbox(&[
        "run", "--detach", "--image", "base", "--name", "long", "--", "sleep", "1000",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    place.sandbox(&["image", "remove", "base"]);
    let collected = place.sandbox(&["image", "gc", "--age", "0s", "--size", "1KiB"]);
    assert_eq!(collected.code, Some(0), "{}", collected.stderr);
    assert_eq!(leases(), 1);
    assert!(
        fs::read_dir(place.path("state/images/layers"))
            .unwrap()
            .count()
            > 0
    );
    place.sandbox(&["kill", "long", "--grace", "0s"]);
    assert_eq!(place.sandbox(&["gc"]).code, Some(0));
    assert_eq!(leases(), 0);
    place.sandbox(&["image", "gc", "--age", "0s"]);
    assert_eq!(
        fs::read_dir(place.path("state/images/layers"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn the_exit_code_says_whose_fault_it_is() {
    let Some(place) = Place::new() else { return };
    let huge = [b"FROM base\n# ".as_slice(), &vec![b'x'; 10 << 20]].concat();
    let secret = place.path("none");
    let secret = format!("id=a,src={}", secret.display());
    let with_secret = b"FROM base\nRUN --mount=type=secret,id=a true";
    for (text, options, code, word) in [
        (b"".as_slice(), &[][..], 1, "no stage"),
        (&huge, &[], 1, "10485772 bytes long"),
        (b"FROM base\n\x00\xff\xfe", &[], 1, "line 2"),
        (b"\x7fELF\x02\x01", &[], 1, "line 1"),
        (
            b"FROM a AS a\nCOPY --from=b / /\nFROM a AS b",
            &["--target", "a"],
            1,
            "circle",
        ),
        (b"FROM base\nRUN exit 7", &[], 1, "exit code 7"),
        (
            b"FROM base\nRUN sleep 30",
            &["--time", "300ms"],
            1,
            "took longer",
        ),
        (b"FROM base\nCOPY none /", &[], 1, "matches nothing"),
        (b"FROM base\nRUN --mount=type=ssh true", &[], 1, "line 2"),
        (b"FROM nowhere", &[], 125, "not in the store"),
        (with_secret, &["--secret", &secret], 125, "secret"),
        (b"FROM base", &["--tag", "Wrong Name"], 2, "no image's name"),
        (b"FROM base", &["--build-arg", "X"], 2, "NAME=VALUE"),
        (b"FROM base", &["--target", "none"], 1, "not a stage"),
    ] {
        let built = place.build_bytes(text, options);
        let shown: String = String::from_utf8_lossy(&text[..text.len().min(60)]).into_owned();
        assert_eq!(built.code, Some(code), "{shown:?}: {}", built.stderr);
        assert!(built.stderr.contains(word), "{shown:?}: {}", built.stderr);
        assert!(built.stdout.is_empty());
    }
    assert_eq!(place.sandbox(&["build", "/none"]).code, Some(125));
    assert_eq!(fs::read_dir(place.path("state/jobs")).unwrap().count(), 0);
}

#[test]
fn a_build_that_is_killed_is_gone_after_gc() {
    let Some(place) = Place::new() else { return };
    fs::write(place.path("Dockerfile"), "FROM base\nRUN sleep 1000").unwrap();
    let mut child = Command::new(gradus())
        .args(["sandbox", "--state"])
        .arg(place.path("state"))
        .arg("build")
        .arg(place.path("context"))
        .arg("-f")
        .arg(place.path("Dockerfile"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let jobs = || fs::read_dir(place.path("state/jobs")).unwrap().count();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while place.sandbox(&["ps"]).stdout.matches("running").count() == 0 {
        assert!(
            std::time::Instant::now() < until,
            "its command does not run"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(jobs(), 1);
    let collected = place.sandbox(&["gc"]);
    assert_eq!(collected.code, Some(0), "{}", collected.stderr);
    assert!(
        collected.stdout.contains("of a build that was killed"),
        "{}",
        collected.stdout
    );
    assert_eq!(jobs(), 0);
    assert_eq!(fs::read_dir(place.path("state/ids")).unwrap().count(), 0);
    assert_eq!(
        fs::read_dir(place.path("state/builds/running"))
            .unwrap()
            .count(),
        0
    );
}

/// What was fetched is in the layer; that there was a proxy is in no image. Another list of hosts is another step.
#[test]
fn a_command_reaches_the_hosts_that_it_may() {
    let Some(place) = Place::new() else { return };
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = server.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for client in server.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 256]);
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\nfetched").unwrap();
        }
    });
    let log = place.path("requests.jsonl");
    let result = place.path("built.json");
    let text = format!(
        "FROM base\nRUN [ $http_proxy = http://127.0.0.1:3128 ]\n\
         RUN printf 'GET http://{host}/x HTTP/1.1\\r\\n\\r\\n' | nc 127.0.0.1 3128 > /got\n\
         RUN --network=none ! nc 127.0.0.1 3128 </dev/null\nCMD [\"sh\", \"-c\", \"cat /got; env\"]\n"
    );
    let options = [
        "-t",
        "fetched",
        "--allow-host",
        &host,
        "--egress-log",
        log.to_str().unwrap(),
        "--json",
        result.to_str().unwrap(),
    ];
    let built = place.build(&text, &options);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    let records = fs::read_to_string(&log).unwrap();
    assert!(records.contains(&format!("http://{host}/x")), "{records}");
    let ran = place.sandbox(&["run", "--image", "fetched"]);
    assert!(ran.stdout.contains("fetched"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("proxy"), "{}", ran.stdout);
    // Known under this list, done again under another: there it fails.
    let again = place.build(&text, &options);
    assert_eq!((again.code, &again.stdout), (Some(0), &built.stdout));
    let other = place.build(&text, &["--allow-host", "other.example.org"]);
    assert_eq!(other.code, Some(0), "the answer is no failure of nc");
    assert_ne!(other.stdout, built.stdout);
    let none = place.build(&text, &[]);
    assert_eq!(none.code, Some(1), "{}", none.stderr);
}

/// A base image that the store lacks is taken where that was asked for, and its digest is on record.
#[test]
fn a_base_image_is_pulled_where_that_is_asked_for() {
    let Some(place) = Place::new() else { return };
    let registry = "127.0.0.1:1";
    let text = format!("FROM {registry}/team/base:1\n");
    let without = place.build(&text, &[]);
    assert_eq!(without.code, Some(125), "{}", without.stderr);
    assert!(
        without.stderr.contains("is not in the store"),
        "{}",
        without.stderr
    );
    let with = place.build(&text, &["--pull", "--trust", registry]);
    assert_eq!(with.code, Some(125), "{}", with.stderr);
    let asked = with.stderr.contains(registry) && !with.stderr.contains("is not in the store");
    assert!(asked, "{}", with.stderr);
}
