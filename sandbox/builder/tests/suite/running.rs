//! `RUN`: what a command may do, what becomes of what it writes.

use gradus_builder::{BuildError, BuildLimits, StepError};
use gradus_image::Owner;
use gradus_sandbox::outcome::Outcome;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use crate::yard::{With, Yard};

#[test]
fn a_command_has_seven_rights_over_its_own_files_as_root_and_none_as_another() {
    let Some(yard) = Yard::new() else { return };
    yard.build(
        "FROM base
RUN grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status
RUN touch a && chown 7:8 a && chmod 6711 a && mkdir -m 0 d && chown 9 d && touch d/in && ls -ln a
USER app
RUN id; grep -E 'CapEff|CapBnd' /proc/self/status; ! touch /no && ! chown 5 /tmp",
    );
    let said = yard.said.borrow();
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID.
    for line in [
        "CapInh:\t0000000000000000",
        "CapPrm:\t00000000000000fb",
        "CapEff:\t00000000000000fb",
        "CapBnd:\t00000000000000fb",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "-rws--s--x    1 7        8 ",
        "uid=1000(app) gid=1001",
        "CapEff:\t0000000000000000",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
}

#[test]
fn what_a_command_writes_is_its_layer_and_nothing_else_is() {
    let Some(yard) = Yard::new() else { return };
    let built = yard.build("FROM base\nRUN mkdir /new && echo x > /new/file && rm /etc/group && chown -R 1000:50 /new && ln /new/file /new/again && mkfifo /new/pipe");
    assert_eq!(
        yard.last_layer(&built),
        [
            "etc/",
            "etc/group",
            "new/",
            "new/again",
            "new/file",
            "new/pipe"
        ]
    );
    let image = yard.image(&built);
    let layer = yard.store.layer_dir(&image.layers.last().unwrap().diff_id);
    let meta = std::fs::metadata(layer.join("new/file")).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.nlink()), (1000, 50, 2));
    assert_eq!(meta.mtime(), gradus_builder::EPOCH_S as i64);
    let gone = std::fs::symlink_metadata(layer.join("etc/group")).unwrap();
    assert_eq!(
        (gone.mode() & 0o170000, gone.rdev()),
        (0o020000, 0),
        "a whiteout"
    );
    // The image's /proc, /sys and /dev are made for the command alone; one that writes nothing has no layer.
    let same = yard.build("FROM base\nRUN true\nRUN ls /proc /sys /dev /etc > /dev/null");
    assert_eq!(yard.image(&same).layers.len(), 1);
    // A directory that was removed and made again hides the one beneath.
    yard.build("FROM base\nRUN mkdir /d && touch /d/a\nRUN rm -r /d && mkdir /d && touch /d/b\nRUN test \"$(ls /d)\" = b");
    yard.assert_clean();
}

#[test]
fn shell_exec_and_here_documents_run() {
    let Some(yard) = Yard::new() else { return };
    yard.build(
        "FROM base\nENV X=1\nARG Y=2\nRUN echo shell $X $Y $HOME $SOURCE_DATE_EPOCH\nRUN [\"echo\", \"exec $X\"]\n\
         SHELL [\"/bin/sh\", \"-ec\"]\nRUN echo strict; true\nRUN <<END\necho first\necho second\nEND\n\
         RUN <<SCRIPT\n#!/bin/cat\nthird\nSCRIPT\n",
    );
    let said = yard.said.borrow();
    for text in [
        "shell 1 2 /root 315619200\n",
        "exec $X\n",
        "first\nsecond\n",
        "third\n",
    ] {
        assert!(said.contains(text), "{text} is not in\n{said}");
    }
}

#[test]
fn commands_that_fail_or_take_too_much_are_the_submissions_fault() {
    let Some(yard) = Yard::new() else { return };
    let limits = BuildLimits {
        time: Some(Duration::from_millis(1500)),
        memory_bytes: 32 << 20,
        disk_bytes: 8 << 20,
        log_bytes: 100 << 10,
        ..With::default().limits
    };
    let with = With {
        limits,
        ..With::default()
    };
    for (command, wanted) in [
        ("exit 3", Outcome::Exited { code: 3 }),
        ("kill -9 $$", Outcome::Signalled { signal: 9 }),
        ("while :; do :; done", Outcome::Deadline),
        (
            "dd if=/dev/zero of=/dev/null bs=64M count=1",
            Outcome::OutOfMemory,
        ),
        ("dd if=/dev/zero of=/f bs=4k count=5000", Outcome::DiskFull),
        ("yes", Outcome::LogFlood),
    ] {
        let (error, text) = yard.fails_with(&format!("FROM base\nRUN {command}"), &with);
        assert_eq!(error.owner(), Owner::Submission, "{text}");
        let BuildError::Step {
            line: 2, source, ..
        } = &error
        else {
            panic!("{text}")
        };
        let StepError::Command { outcome } = &**source else {
            panic!("{text}")
        };
        assert_eq!(*outcome, wanted, "{text}");
    }
    for (command, word) in [
        ("RUN [\"/none\"]", "cannot be started"),
        ("SHELL [\"/none\"]\nRUN true", "cannot be started"),
        ("USER nobody\nRUN true", "has no \"nobody\""),
    ] {
        let (error, text) = yard.fails(&format!("FROM base\n{command}"));
        assert_eq!(error.owner(), Owner::Submission, "{text}");
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_command_reaches_no_network_and_no_host() {
    let Some(yard) = Yard::new() else { return };
    yard.build(
        "FROM base\nRUN test $(ip -o link | wc -l) = 1 && ip link | grep -q LOOPBACK\nRUN ! mount -t tmpfs x /tmp 2>&1\n\
         RUN ! mknod /x b 7 0 2>&1\nRUN ! chroot / true 2>&1\nRUN ! unshare -U true 2>&1\nRUN ! hostname other 2>&1\n\
         RUN ! sh -c 'echo 1 > /proc/sys/kernel/panic' 2>&1",
    );
}

#[test]
fn a_build_that_is_stopped_leaves_nothing() {
    let Some(yard) = Yard::new() else { return };
    let begun = std::time::Instant::now();
    let cancelled = || begun.elapsed() > Duration::from_millis(300);
    let result = yard.build_until("FROM base\nRUN sleep 1000", &With::default(), &cancelled);
    assert!(matches!(result, Err(BuildError::Cancelled)), "{result:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    yard.assert_clean();
}

/// Two commands that do the same thing make one layer twice, and so do many images of registries.
#[test]
fn a_layer_that_an_image_has_twice_is_no_obstacle() {
    let Some(yard) = Yard::new() else { return };
    let text = "FROM base\nRUN echo x > /x\nRUN echo x > /x\nRUN rm /x\nRUN ! cat /x\nRUN echo x > /x\nRUN echo y > /y\nRUN cat /x /y\n\
        FROM base\nCOPY --from=0 /x /x\nRUN cat /x\n";
    let built = yard.build(text);
    assert!(
        yard.said.borrow().ends_with("x\ny\nx\n"),
        "{}",
        yard.said.borrow()
    );
    assert_eq!(built.steps.len(), 11);
    let first = With {
        target: Some("0"),
        ..With::default()
    };
    let image = yard.image(&yard.build_with(text, &first).unwrap());
    let layers: Vec<_> = image.layers.iter().map(|layer| layer.diff_id).collect();
    assert_eq!(
        layers.iter().filter(|layer| **layer == layers[1]).count(),
        3,
        "{layers:?}"
    );
}
