//! `gradus sandbox` as somebody meets it who does not know it: wrong words, places that are not there, readers that go away.

use crate::binary::{Finished, gradus};
use crate::sandbox::Place;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// Exit codes that are no program's.
const WORDS: i32 = 2;
const GRADUS: i32 = 125;

const COMMIT: &str = "0123456789012345678901234567890123456789";

impl Place {
    /// `run` with `options` and a program that ends at once.
    fn try_run(&self, options: &[&str]) -> Finished {
        self.run(options, ":")
    }
}

/// Every line that gradus has said itself, as JSON: one stream, one form.
#[track_caller]
fn says(finished: &Finished, event: &str, text: &str) {
    let said = finished.events();
    let found = said
        .iter()
        .any(|line| line["event"] == event && line.to_string().contains(text));
    assert!(found, "{event}, {text}: {}", finished.stderr);
}

#[test]
fn a_working_directory_that_is_not_there_is_no_missing_program() {
    let Some(place) = Place::new() else { return };
    let finished = place.try_run(&["--cwd", "/nowhere"]);
    finished.complains(GRADUS, &["/nowhere", "No such file", "--cwd"]);
    // A file is none, and neither is what leads out.
    let finished = place.try_run(&["--cwd", "/bin/busybox"]);
    finished.complains(GRADUS, &["Not a directory", "--cwd"]);
    place
        .try_run(&["--cwd", "bin"])
        .complains(WORDS, &["--cwd"]);
    place.is_clean();
}

#[test]
fn what_is_wrong_with_the_words_alone_is_2() {
    let Some(place) = Place::new() else { return };
    for (options, says) in [
        (&["--name", "A b"][..], "job name \"A b\""),
        (&["--next-to", "../x"], "job name \"../x\""),
        (&["--env", "A"], "NAME=VALUE"),
        (&["--env", "=x"], "NAME=VALUE"),
        (&["--time", "90"], "number with ms, s, m or h"),
        (&["--pids", "0"], "--pids"),
        (&["--pids", "18446744073709551615"], "--pids"),
        (&["--inodes", "0"], "--inodes"),
        (&["--inodes", "4294967296"], "--inodes"),
        (&["--cpuset", "3-1"], "0-3,8"),
        (&["--cpuset", "x"], "0-3,8"),
        (&["--memory", "1"], "no unit"),
        (&["--input", "/etc:x"], "absolute path inside"),
        (&["--output", "../x:/out"], "no output's name"),
        (&["--output", "A:/out"], "no output's name"),
        (&["--allow-host", "a.org:0"], "port \"0\""),
        (&["--allow-host", "a.org:65536"], "port \"65536\""),
        (&["--allow-host", "https://a.org"], "names no host"),
        (&["--entrypoint", "sh"], "--rootfs"),
        (&["--image", "x"], "--rootfs"),
        (&["--gpu-memory", "1GiB"], "--gpu"),
        (&["--detach", "--json", "/tmp/none"], "--json"),
        (&["--name", "a", "--name", "b"], "multiple times"),
    ] {
        let finished = place.try_run(options);
        assert_eq!(
            finished.code,
            Some(WORDS),
            "{options:?}: {}",
            finished.stderr
        );
        assert!(
            finished.stderr.contains(says),
            "{options:?}: {}",
            finished.stderr
        );
    }
    place
        .sandbox(&["run", "--", "sh"])
        .complains(WORDS, &["--rootfs <DIR>|--image <NAME>"]);
    let rootfs = place.path("rootfs");
    let rootfs = rootfs.to_str().unwrap();
    place
        .sandbox(&["run", "--rootfs", rootfs])
        .complains(WORDS, &["COMMAND"]);
    for (words, says) in [
        (
            &["fetch", "http://a.org/b", COMMIT, "none"][..],
            "not https",
        ),
        (
            &["fetch", "https://u:p@a.org/b", COMMIT, "none"],
            "password",
        ),
        (&["fetch", "https://a.org/b", "01234", "none"], "01234"),
        (
            &["fetch", "--trust", "", "https://a.org/b", COMMIT, "none"],
            "--trust",
        ),
        (&["pull", "A B"], "no image's name"),
        (&["pull", "--trust", "*", "a/b"], "one server"),
        (&["pull", "--mirror", "none", "a/b"], "mirror"),
        (&["build", ".", "--secret", "x"], "id=ID,src=FILE"),
        (&["build", ".", "--tag", "A B"], "no image's name"),
        (&["build", ".", "--build-arg", "X"], "NAME=VALUE"),
        (&["image", "remove", "A B"], "no image's name"),
        (&["inspect", "../.."], "job name"),
        (&["doctor", "--require", "x"], "production"),
    ] {
        let finished = place.sandbox(words);
        assert_eq!(finished.code, Some(WORDS), "{words:?}: {}", finished.stderr);
        assert!(
            finished.stderr.contains(says),
            "{words:?}: {}",
            finished.stderr
        );
    }
    assert!(
        !place.path("state/jobs").exists()
            || fs::read_dir(place.path("state/jobs")).unwrap().count() == 0
    );
}

#[test]
fn what_is_not_there_is_125_and_named_by_its_option() {
    let Some(place) = Place::new() else { return };
    let file = place.path("file");
    fs::write(&file, "x").unwrap();
    let file = file.to_str().unwrap();
    fs::create_dir_all(place.path("taken/model")).unwrap();
    let taken = place.path("taken");
    let taken = taken.to_str().unwrap();
    let output = ["--output", "model:/out", "--take"];
    let take = |directory| [&output[..], &[directory]].concat();
    for (options, says) in [
        (
            &["--input", "/nowhere:/x"][..],
            &["--input", "/nowhere"][..],
        ),
        (&["--json", "/nowhere/x"], &["--json", "/nowhere"]),
        (
            &["--next-to", "nosuch"],
            &["nosuch", "does not run", "start it first"],
        ),
        (
            &["--cpuset", "60000"],
            &["the choice of processors", "sandbox doctor"],
        ),
        (
            &["--disk", "1KB"],
            &["no place for what it writes", "1 MiB"],
        ),
        (&["--input", "/etc:/a/../.."], &["no place inside"]),
        (&["--output", "a:/"], &["no place inside"]),
        (
            &["--output", "a:/x", "--output", "a:/y"],
            &["two outputs", "a"],
        ),
        (&take(file), &["--take", "File exists"]),
        (&take("/proc/none"), &["--take", "/proc/none"]),
        (&take(taken), &["--take", "taken/model", "exists"]),
        (
            &["--allow-host", "*", "--egress-log", "/nowhere/x"],
            &["--egress-log", "/nowhere/x"],
        ),
    ] {
        let finished = place.run(options, "echo ran");
        assert_eq!(
            finished.code,
            Some(GRADUS),
            "{options:?}: {}",
            finished.stderr
        );
        for text in says {
            assert!(
                finished.stderr.contains(text),
                "{options:?}: {}",
                finished.stderr
            );
        }
        // Before anything has run.
        assert_eq!(finished.stdout, "", "{options:?}");
        assert_eq!(finished.events().len(), 1, "{}", finished.stderr);
    }
    for rootfs in ["/nowhere", file] {
        place
            .sandbox(&["run", "--rootfs", rootfs, "--", "sh"])
            .complains(GRADUS, &["--rootfs", rootfs, "--image"]);
    }
    for (words, says) in [
        (
            &["run", "--image", "nosuch"][..],
            &["nosuch", "image list"][..],
        ),
        (&["build", "/nowhere"], &["--file", "/nowhere/Dockerfile"]),
        (&["image", "import", "/nowhere"], &["/nowhere"]),
        (&["image", "remove", "nosuch"], &["nosuch"]),
        (
            &["gpus", "release", "GPU-none"],
            &["GPU-none", "not in quarantine"],
        ),
        (
            &["pull", "--auth-file", "/nowhere", "127.0.0.1:1/a"],
            &["--auth-file", "/nowhere"],
        ),
        (
            &["fetch", "https://a.org/b", COMMIT, file],
            &[file, "exists"],
        ),
        (
            &["fetch", "https://a.org/b", COMMIT, "/nowhere/x"],
            &["DIR", "/nowhere/x"],
        ),
        (
            &[
                "fetch",
                "--token-env",
                "NO_SUCH_NAME",
                "https://a.org/b",
                COMMIT,
                "none",
            ],
            &["--token-env NO_SUCH_NAME"],
        ),
        (
            &[
                "fetch",
                "--token-file",
                "/nowhere",
                "https://a.org/b",
                COMMIT,
                "none",
            ],
            &["--token-file", "/nowhere"],
        ),
    ] {
        place.sandbox(words).complains(GRADUS, says);
    }
    place.is_clean();
}

/// Nobody asks for it, and still it is told: a name that is spelled wrong would be found out in the one build that needs it.
#[test]
fn a_secret_that_is_not_there_is_refused_at_once() {
    let Some(place) = Place::new() else { return };
    fs::create_dir(place.path("context")).unwrap();
    fs::write(place.path("context/Dockerfile"), "FROM scratch\n").unwrap();
    let context = place.path("context");
    let build = ["build", context.to_str().unwrap(), "--secret"];
    for secret in ["id=a,src=/nowhere", "id=a,src=/"] {
        place
            .sandbox(&[&build[..], &[secret]].concat())
            .complains(GRADUS, &["--secret", "src= names a file"]);
    }
}

#[test]
fn a_state_directory_that_cannot_be_used_says_what_names_another() {
    let Some(place) = Place::new() else { return };
    let open = place.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
    for state in ["/proc/none", "/etc/passwd", open.to_str().unwrap()] {
        for words in [&["ps"][..], &["gc"], &["logs", "a"], &["image", "list"]] {
            let mut command = Command::new(gradus());
            command.arg("sandbox").args(words).args(["--state", state]);
            let output = command.output().unwrap();
            let said: Value = serde_json::from_slice(&output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(GRADUS), "{state}: {said}");
            assert!(
                said["reasons"][1].as_str().unwrap().contains(state),
                "{said}"
            );
            assert!(said["help"].as_str().unwrap().contains("--state"), "{said}");
        }
    }
}

/// The exit code is a signal's, and so the reason has to be somewhere.
#[test]
fn why_gradus_ended_a_job_is_said_where_errors_are() {
    let Some(place) = Place::new() else { return };
    for (options, script, code, option) in [
        (
            &["--log", "1KB"][..],
            "while :; do echo yes; done",
            137,
            "--log",
        ),
        (
            &["--time", "100ms", "--grace", "0s"],
            "sleep 30",
            124,
            "--time",
        ),
        (
            &["--memory", "32MiB"],
            "dd if=/dev/zero of=/dev/null bs=64M count=1",
            137,
            "--memory",
        ),
    ] {
        let finished = place.run(options, script);
        assert_eq!(finished.code, Some(code), "{}", finished.stderr);
        says(&finished, "note", option);
    }
    // What it did itself needs no words of ours.
    assert_eq!(place.run(&[], "kill -SEGV $$").stderr, "");
    place.is_clean();
}

/// A trainer writes its last checkpoint then, whoever it is inside.
#[test]
fn a_job_hears_that_its_time_is_over_and_has_its_grace() {
    let Some(place) = Place::new() else { return };
    let script = "trap 'echo heard; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    for user in ["0", "1000"] {
        let options = ["--time", "1s", "--grace", "20s", "--user", user];
        let finished = place.run(&options, script);
        assert_eq!(finished.code, Some(124), "{}", finished.stderr);
        assert_eq!(finished.stdout, "ready\nheard\n", "user {user}");
        let options = ["--detach", "--name", "long", "--user", user];
        assert_eq!(place.run(&options, script).code, Some(0));
        let printed = || place.sandbox(&["logs", "long", "--raw"]).stdout;
        while printed() != "ready\n" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let killed = place.sandbox(&["kill", "long", "--grace", "20s"]);
        assert_eq!(killed.stdout, "long: cancelled\n", "{}", killed.stderr);
        assert_eq!(printed(), "ready\nheard\n", "user {user}");
        assert_eq!(place.sandbox(&["gc"]).code, Some(0));
    }
    place.is_clean();
}

/// What is small has few files: a default that does not fit would have to be known.
#[test]
fn a_small_disk_is_one() {
    let Some(place) = Place::new() else { return };
    let finished = place.run(
        &["--disk", "4MiB", "--scratch", "disk"],
        "echo x > /x && echo written",
    );
    assert_eq!(finished.stdout, "written\n", "{}", finished.stderr);
    place.is_clean();
}

#[test]
fn a_build_that_is_piped_says_lines_of_json_and_nothing_else() {
    let Some(place) = Place::new() else { return };
    let layout = place.path("context");
    fs::create_dir(&layout).unwrap();
    fs::copy(place.path("rootfs/bin/busybox"), layout.join("busybox")).unwrap();
    let text = "FROM scratch\nCOPY busybox /bin/sh\nRUN echo hello\n";
    fs::write(layout.join("Dockerfile"), text).unwrap();
    let built = place.sandbox(&["build", layout.to_str().unwrap()]);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    let events: Vec<Value> = built.events();
    assert!(events.iter().all(|event| event["elapsed_s"].is_f64()));
    for (event, text) in [
        ("step", "RUN echo hello"),
        ("output", "out | hello"),
        ("done", ""),
        ("built", ""),
    ] {
        says(&built, event, text);
    }
    assert_eq!(place.sandbox(&["gc"]).code, Some(0));
}

#[test]
fn every_help_names_the_codes_of_its_command_and_no_option_without_a_meaning() {
    let help = |words: &[&str]| {
        let output = Command::new(gradus())
            .arg("sandbox")
            .args(words)
            .arg("--help")
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    for command in ["run", "build", "pull", "fetch"] {
        let text = help(&[command]);
        for code in ["\n  2  ", "\n  125  ", "\n  130  "] {
            assert!(text.contains(code), "{command}, {code:?}: {text}");
        }
    }
    let own = help(&[]);
    for code in [
        "\n  0  ",
        "\n  1  ",
        "\n  2  ",
        "\n  70  ",
        "\n  125  ",
        "\n  130  ",
    ] {
        assert!(own.contains(code), "{code:?}: {own}");
    }
    for command in [
        &["run"][..],
        &["gpus"],
        &["gpus", "release"],
        &["gc"],
        &["doctor"],
    ] {
        assert!(help(command).contains("--driver-root"), "{command:?}");
    }
    for command in [
        &["ps"][..],
        &["logs"],
        &["kill"],
        &["inspect"],
        &["build"],
        &["pull"],
        &["fetch"],
        &["image", "list"],
    ] {
        assert!(!help(command).contains("--driver-root"), "{command:?}");
    }
    assert!(!help(&["fetch"]).contains("--state"));
    assert!(help(&["image", "list"]).contains("--state"));
}

#[test]
fn bytes_that_are_no_text_are_answered_and_do_not_crash() {
    let Some(place) = Place::new() else { return };
    let wrong = OsStr::from_bytes(b"/tmp/\xff\xfe");
    for words in [
        &["run", "--rootfs"][..],
        &["run", "--image"],
        &["run", "--env"],
        &["run", "--json"],
        &["build"],
        &["image", "import"],
        &["logs"],
        &["pull"],
        &["fetch"],
    ] {
        let mut command = Command::new(gradus());
        command
            .args(["sandbox", "--state"])
            .arg(place.path("state"));
        let output = command.args(words).arg(wrong).output().unwrap();
        let code = output.status.code();
        assert!(
            matches!(code, Some(1 | WORDS | GRADUS)),
            "{words:?}: {output:?}"
        );
        assert!(!output.stderr.is_empty(), "{words:?}");
    }
}

/// A reader that went away ends nothing and is no failure; a full one is.
#[test]
fn standard_output_may_be_closed_or_full() {
    let Some(place) = Place::new() else { return };
    let run = |stdout: Stdio, script: &str| {
        let mut command = Command::new(gradus());
        command
            .args(["sandbox", "--state"])
            .arg(place.path("state"));
        command.args(["run", "--rootfs"]).arg(place.path("rootfs"));
        command.args(["--", "sh", "-c", script]).stdout(stdout);
        command.output().unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = run(writer.into(), "for i in 0 1 2 3; do echo $i; done; exit 7");
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let mut listing = Command::new(gradus());
    listing
        .args(["sandbox", "ps", "--state"])
        .arg(place.path("state"));
    let output = listing.stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(GRADUS), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("standard output"), "{said}");
    place.is_clean();
}

/// Whatever a command waits for, Ctrl-C ends it, and nothing is left that somebody would have to know of.
#[test]
fn ctrl_c_ends_every_command_that_waits() {
    let Some(place) = Place::new() else { return };
    // A server that takes and says nothing.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = &server.local_addr().unwrap().to_string();
    let url = &format!("http://{server}/a");
    let image = &format!("{server}/a");
    let rootfs = place.path("rootfs");
    let rootfs = rootfs.to_str().unwrap();
    let tree = place.path("tree");
    let tree = tree.to_str().unwrap();
    fs::create_dir(place.path("context")).unwrap();
    fs::copy(
        place.path("rootfs/bin/busybox"),
        place.path("context/busybox"),
    )
    .unwrap();
    let text = "FROM scratch\nCOPY busybox /bin/sh\nRUN while :; do :; done\n";
    fs::write(place.path("context/Dockerfile"), text).unwrap();
    let context = place.path("context");
    let context = context.to_str().unwrap();
    place.run(
        &["--detach", "--name", "long"],
        "trap '' TERM; while :; do sleep 1; done",
    );
    for words in [
        &[
            "run", "--grace", "0s", "--rootfs", rootfs, "--", "sleep", "60",
        ][..],
        &["logs", "-f", "long"],
        &["kill", "long", "--grace", "60s"],
        &["pull", "--insecure-registry", server, image],
        &[
            "fetch",
            "--trust",
            server,
            "--insecure-loopback",
            url,
            COMMIT,
            tree,
        ],
        &["build", context],
    ] {
        let mut command = Command::new(gradus());
        command
            .args(["sandbox", "--state"])
            .arg(place.path("state"))
            .args(words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(700));
        assert!(
            child.try_wait().unwrap().is_none(),
            "{words:?} has ended by itself"
        );
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()
                .unwrap()
                .success()
        );
        let ended = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            child.try_wait().unwrap()
        });
        let ended = ended.unwrap_or_else(|| panic!("{words:?} goes on"));
        assert!(
            ended.code() == Some(130) || ended.signal() == Some(2),
            "{words:?}: {ended}"
        );
    }
    let beside: Vec<_> = fs::read_dir(place.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !beside
            .iter()
            .any(|name| name.to_string_lossy().contains("tree")),
        "{beside:?}"
    );
    place.sandbox(&["kill", "long", "--grace", "0s"]);
    assert_eq!(place.sandbox(&["gc"]).code, Some(0));
    assert_eq!(place.sandbox(&["image", "gc"]).code, Some(0));
    place.is_clean();
}

/// A job may print nothing for hours.
#[test]
fn logs_are_followed_no_longer_than_somebody_reads() {
    let Some(place) = Place::new() else { return };
    place.run(&["--detach", "--name", "silent"], "sleep 100");
    let mut command = Command::new(gradus());
    command
        .args(["sandbox", "logs", "-f", "silent", "--state"])
        .arg(place.path("state"));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = (0..500).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        child.try_wait().unwrap()
    });
    let _ = child.kill();
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
    place.sandbox(&["kill", "silent", "--grace", "0s"]);
    assert_eq!(place.sandbox(&["gc"]).code, Some(0));
    place.is_clean();
}

/// A reader that does not read holds up the job's output, not its end.
#[test]
fn a_full_pipe_does_not_keep_a_job_past_its_time() {
    let Some(place) = Place::new() else { return };
    let mut command = Command::new(gradus());
    command
        .args(["sandbox", "--state"])
        .arg(place.path("state"));
    command
        .args(["run", "--time", "300ms", "--grace", "0s", "--rootfs"])
        .arg(place.path("rootfs"));
    command.args(["--", "sh", "-c", "while :; do echo yes; done"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let running = || {
        let text = place.sandbox(&["ps", "--json"]).stdout;
        let jobs: Value = serde_json::from_str(&text).unwrap();
        jobs.as_array()
            .unwrap()
            .iter()
            .any(|job| job["state"] == "running")
    };
    let wait_for = |wanted: bool| {
        (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            running() == wanted
        })
    };
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(wait_for(false), "it runs on");
    let mut rest = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(124));
    place.is_clean();
}
