//! `COPY`, `ADD`, `WORKDIR`: to where, as whose, and what is refused.

use gradus_image::Owner;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use crate::yard::Yard;

#[test]
fn files_go_where_buildkit_puts_them() {
    let Some(yard) = Yard::new() else { return };
    for file in [
        "a.txt",
        "b.txt",
        "src/m.py",
        "src/pkg/__init__.py",
        "skip/me",
        ".git/config",
    ] {
        yard.write(file, file);
    }
    yard.write(".dockerignore", "skip\n");
    for (line, made) in [
        ("COPY a.txt /new", "new"),
        ("COPY a.txt /new/", "new/ new/a.txt"),
        ("COPY a.txt b.txt /new/", "new/ new/a.txt new/b.txt"),
        ("COPY *.txt /new/", "new/ new/a.txt new/b.txt"),
        ("COPY a.txt /tmp", "tmp/ tmp/a.txt"),
        (
            "COPY src /new",
            "new/ new/m.py new/pkg/ new/pkg/__init__.py",
        ),
        (
            "COPY src/ /new/",
            "new/ new/m.py new/pkg/ new/pkg/__init__.py",
        ),
        ("WORKDIR /w\nCOPY src/*.py ./", "w/ w/m.py"),
        ("COPY src/pkg /x/y/z", "x/ x/y/ x/y/z/ x/y/z/__init__.py"),
        // Through the image's own link; the link stays.
        ("COPY a.txt /lib/", "usr/ usr/lib/ usr/lib/a.txt"),
        ("COPY <<EOF /etc/motd\nhi\nEOF", "etc/ etc/motd"),
        ("WORKDIR /a/b", "a/ a/b/"),
        ("COPY --link a.txt /lib/", "lib/ lib/a.txt"),
    ] {
        let built = yard.build(&format!("FROM base\n{line}"));
        assert_eq!(yard.last_layer(&built).join(" "), made, "{line}");
    }
    let built = yard.build("FROM scratch\nCOPY . /");
    let all = yard.last_layer(&built).join(" ");
    assert_eq!(
        all,
        ".dockerignore a.txt b.txt src/ src/m.py src/pkg/ src/pkg/__init__.py"
    );
}

#[test]
fn owners_modes_and_times_are_as_said() {
    let Some(yard) = Yard::new() else { return };
    yard.write("d/f", "x");
    let f = yard.context().join("d/f");
    std::os::unix::fs::chown(&f, Some(77), Some(88)).unwrap();
    fs::set_permissions(&f, fs::Permissions::from_mode(0o4751)).unwrap();
    for (line, owner, mode) in [
        ("COPY d/f /n/f", (0, 0), 0o4751),
        ("COPY --chown=app d/f /n/f", (1000, 1001), 0o4751),
        ("COPY --chown=5 d/f /n/f", (5, 5), 0o4751),
        ("COPY --chown=app:staff --chmod=600 d /n", (1000, 50), 0o600),
    ] {
        let built = yard.build(&format!("FROM base\n{line}"));
        let image = yard.image(&built);
        let layer = yard.store.layer_dir(&image.layers.last().unwrap().diff_id);
        let meta = fs::metadata(layer.join("n/f")).unwrap();
        let found = ((meta.uid(), meta.gid()), meta.mode() & 0o7777, meta.mtime());
        assert_eq!(
            found,
            (owner, mode, gradus_builder::EPOCH_S as i64),
            "{line}"
        );
    }
    // From a stage, owners are those of the stage.
    let built = yard.build(
        "FROM base AS one\nRUN mkdir /o && echo x > /o/f && ln /o/f /o/g && chown 3:4 /o/f && ln -s f /o/l\n\
         FROM base\nCOPY --from=one /o /n",
    );
    let image = yard.image(&built);
    let layer = yard.store.layer_dir(&image.layers.last().unwrap().diff_id);
    let meta = fs::metadata(layer.join("n/f")).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.nlink()), (3, 4, 2));
    assert_eq!(
        fs::read_link(layer.join("n/l")).unwrap().to_str(),
        Some("f")
    );
}

#[test]
fn stages_and_images_are_copied_from_as_they_are_seen() {
    let Some(yard) = Yard::new() else { return };
    yard.build(
        "FROM base AS one\n\
         RUN mkdir -p /o/in && echo old > /o/in/a && echo old > /o/b && ln -s /o/in /way\n\
         RUN rm /o/b && echo new > /o/in/a && echo c > /o/c\n\
         FROM base\n\
         COPY --from=one /way/a /o/c* /n/\n\
         COPY --from=0 /way/ /m\n\
         COPY --from=base /bin/busybox /n/bb\n\
         COPY --from=one /o /all\n\
         RUN test \"$(cat /n/a)\" = new && test ! -e /all/b && test \"$(cat /n/c)\" = c && test -f /m/a && test -x /n/bb\n",
    );
}

#[test]
fn archives_are_unpacked_by_add_alone() {
    let Some(yard) = Yard::new() else { return };
    yard.write("t/in/file", "content");
    let tar = |options: &str, name: &str| {
        let made = Command::new("tar")
            .current_dir(yard.context())
            .args([options, name, "--owner=5", "--group=6", "-C", "t", "in"])
            .status();
        assert!(made.unwrap().success());
    };
    tar("-cf", "a.tar");
    tar("-czf", "a.tgz");
    for name in ["a.tar", "a.tgz"] {
        yard.build(&format!(
            "FROM base\nADD {name} /n/\nRUN test \"$(cat /n/in/file)\" = content && test $(stat -c %u:%g /n/in/file) = 5:6"
        ));
        let built = yard.build(&format!("FROM base\nCOPY {name} /n/"));
        assert_eq!(
            yard.last_layer(&built),
            ["n/".to_owned(), format!("n/{name}")]
        );
    }
    fs::write(yard.context().join("a.bz2"), b"BZh91AY&SY").unwrap();
    let (error, text) = yard.fails("FROM base\nADD a.bz2 /n/");
    assert!(text.contains("bzip2"), "{text}");
    assert_eq!(error.owner(), Owner::Submission);
    // What only looks like one is a file.
    fs::write(yard.context().join("b.gz"), b"\x1f\x8bno").unwrap();
    let built = yard.build("FROM base\nADD b.gz /n/");
    assert_eq!(yard.last_layer(&built), ["n/", "n/b.gz"]);
    // Marks of layers are no files.
    yard.write("t/in/.wh.other", "");
    tar("-cf", "w.tar");
    let (error, text) = yard.fails("FROM base\nADD w.tar /n/");
    assert!(text.contains(".wh.other"), "{text}");
    assert_eq!(error.owner(), Owner::Submission);
}

#[test]
fn what_cannot_be_copied_is_refused_by_line() {
    let Some(yard) = Yard::new() else { return };
    yard.write("a", "");
    yard.write("b", "");
    fs::create_dir_all(yard.context().join("dir")).unwrap();
    symlink("/etc/passwd", yard.context().join("out")).unwrap();
    symlink(".", yard.context().join("dir/loop")).unwrap();
    for (line, word) in [
        ("COPY none /", "matches nothing"),
        ("COPY ../x /", ".. does not lead out"),
        ("COPY out /", "symbolic link"),
        ("COPY dir/loop/a /", "symbolic link"),
        ("COPY [ab] /n", "end the destination with /"),
        ("COPY a /etc/passwd/", "is a file in the image"),
        ("COPY a /etc/passwd/x", "no directory"),
        ("COPY dir /etc/passwd", "is a file in the image"),
        ("COPY --chown=who a /", "has no \"who\""),
        ("COPY --from=base /none /", "matches nothing"),
        ("COPY --from=other /x /", "not in the store"),
        (
            "ADD https://host.invalid/x /",
            "the build may reach no host",
        ),
        ("WORKDIR /etc/passwd", "is a file in the image"),
    ] {
        let (_, text) = yard.fails(&format!("FROM base\n{line}"));
        assert!(
            text.contains("line ") && text.contains(word),
            "{line}: {text}"
        );
    }
    // A link in a directory is a link in the image.
    let built = yard.build("FROM base\nCOPY dir /n");
    assert_eq!(yard.last_layer(&built), ["n/", "n/loop"]);
}

#[test]
fn an_image_with_links_out_of_itself_writes_nothing_outside() {
    let Some(yard) = Yard::new() else { return };
    yard.write("a", "mine");
    let outside = yard.path("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.display();
    let built = yard.build(&format!(
        "FROM base\nRUN ln -s {target} /way && ln -s /../../../..{target}/a /file\nCOPY a /way/\nCOPY a /file\nWORKDIR /way/deep"
    ));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(
        yard.last_layer(&built)
            .iter()
            .any(|name| name.ends_with("outside/deep/"))
    );
}
