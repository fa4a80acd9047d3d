//! `RUN --mount`: what is there while a command runs, and nowhere afterwards.

use gradus_builder::Secret;
use gradus_image::Owner;
use std::fs;
use std::path::Path;

use crate::yard::{With, Yard, chain};

const SECRET: &str = "gradus-test-secret-c0ffee";

#[test]
fn a_secret_is_read_and_is_in_no_layer_key_record_or_directory() {
    let Some(yard) = Yard::new() else { return };
    let secrets = [Secret {
        id: "token".to_owned(),
        path: yard.path("token"),
    }];
    fs::write(yard.path("token"), SECRET).unwrap();
    let with = With {
        secrets: &secrets,
        names: &["secret:latest"],
        ..With::default()
    };
    let text = "FROM base\n\
        RUN --mount=type=secret,id=token,required=true test $(wc -c < /run/secrets/token) = 25 && stat -c '%a %u' /run/secrets/token\n\
        RUN --mount=type=secret,id=token,target=/etc/deep/token,uid=1000,mode=0440 stat -c '%a %u' /etc/deep/token > /seen\n\
        RUN --mount=type=secret,id=none test ! -e /run/secrets/none\n\
        RUN test ! -e /run/secrets && test ! -e /etc/deep\n";
    let built = yard
        .build_with(text, &with)
        .unwrap_or_else(|error| panic!("{}\n{}", chain(&error), yard.said.borrow()));
    assert!(yard.said.borrow().contains("400 0\n"));
    let image = yard.image(&built);
    assert_eq!(image.layers.len(), 2, "only /seen was written");
    let seen = yard.store.layer_dir(&image.layers[1].diff_id).join("seen");
    assert_eq!(fs::read_to_string(seen).unwrap(), "440 1000\n");
    // Another value is the same step: it is part of no key.
    fs::write(yard.path("token"), SECRET.to_uppercase()).unwrap();
    let again = yard.build_with(text, &with).unwrap();
    assert!(again.steps[1].cached && again.image == built.image);
    assert_nowhere(&yard.path("state"), SECRET);
    // Builds of other tests may be there at the same time; theirs hold other secrets.
    for left in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let is_a_builds = left
            .file_name()
            .to_string_lossy()
            .starts_with("gradus-build-");
        for file in fs::read_dir(left.path()).into_iter().flatten().flatten() {
            let bytes = fs::read(file.path()).unwrap_or_default();
            assert!(!is_a_builds || !bytes.to_ascii_lowercase().starts_with(SECRET.as_bytes()));
        }
    }
    yard.assert_clean();
}

fn assert_nowhere(dir: &Path, text: &str) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            !path.display().to_string().contains(text),
            "{}",
            path.display()
        );
        if path.is_symlink() || path.ends_with("cache") {
            continue;
        }
        if path.is_dir() {
            assert_nowhere(&path, text);
        } else if path.is_file() && path.metadata().unwrap().len() < 32 << 20 {
            let bytes = fs::read(&path).unwrap().to_ascii_lowercase();
            let found = bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes());
            assert!(!found, "{} has the secret", path.display());
        }
    }
}

#[test]
fn a_cache_is_kept_bounded_and_in_no_layer() {
    let Some(yard) = Yard::new() else { return };
    let mount = "--mount=type=cache,target=/var/cache/x,uid=1000,mode=0750";
    yard.build(&format!(
        "FROM base\nRUN {mount} stat -c '%a %u' /var/cache/x && echo 1 >> /var/cache/x/n"
    ));
    assert!(yard.said.borrow().contains("750 1000\n"));
    let built = yard.build(&format!(
        "FROM base\nUSER app\nRUN {mount} echo 2 >> /var/cache/x/m && cat /var/cache/x/n\nRUN test ! -e /var/cache/x"
    ));
    assert!(yard.said.borrow().contains("1\n"));
    assert_eq!(
        yard.image(&built).layers.len(),
        1,
        "nothing but the cache was written"
    );
    // Another id is another cache; what is too much for it fails the command alone.
    let (error, _) = yard.fails(&format!("FROM base\nRUN {mount},id=other test ! -e /var/cache/x/n && dd if=/dev/zero of=/var/cache/x/f bs=1M count=20"));
    assert_eq!(error.owner(), Owner::Submission);
    yard.build(&format!(
        "FROM base\nRUN {mount},sharing=locked test -f /var/cache/x/m"
    ));
    yard.assert_clean();
    let builds = yard.path("state/builds");
    let freed = gradus_builder::collect_caches(&builds, std::time::Duration::ZERO).unwrap();
    assert!(freed > 0);
    assert_eq!(fs::read_dir(builds.join("caches")).unwrap().count(), 0);
}

#[test]
fn bind_and_tmpfs_mounts_show_files_for_the_command_alone() {
    let Some(yard) = Yard::new() else { return };
    yard.write("req/r.txt", "from the context");
    yard.write("req/ignored", "");
    yard.write(".dockerignore", "req/ignored\n");
    let built = yard.build(
        "FROM base AS one\nRUN mkdir /o && echo from a stage > /o/f\n\
         FROM base\n\
         RUN --mount=type=bind,source=req,target=/in cat /in/r.txt && test ! -e /in/ignored && ! touch /in/x 2>&1\n\
         RUN --mount=type=bind,from=one,source=/o,target=/o --mount=type=bind,source=req/r.txt,target=/r.txt cat /o/f /r.txt\n\
         RUN --mount=type=tmpfs,target=/t,size=1m echo x > /t/f && ! dd if=/dev/zero of=/t/g bs=1M count=2 2>&1\n\
         RUN test ! -e /in && test ! -e /t && test ! -e /r.txt",
    );
    let said = yard.said.borrow();
    assert!(
        said.contains("from the context") && said.contains("from a stage"),
        "{said}"
    );
    assert_eq!(yard.image(&built).layers.len(), 1, "nothing was written");
    drop(said);
    // What is shown is part of the key.
    let text = "FROM base\nRUN --mount=type=bind,source=req,target=/in cat /in/r.txt";
    assert!(!yard.build(text).steps[1].cached);
    assert!(yard.build(text).steps[1].cached);
    yard.write("req/r.txt", "changed");
    assert!(!yard.build(text).steps[1].cached);
}

#[test]
fn mounts_that_are_not_supported_are_refused_by_line() {
    let Some(yard) = Yard::new() else { return };
    yard.write("a", "");
    for (mount, word) in [
        ("type=bind,target=/in,rw", "bind that is written to"),
        ("type=cache,target=/c,ro", "cache that is read-only"),
        (
            "type=cache,target=/c,from=base",
            "begins with files of a stage",
        ),
        ("type=secret,id=x,env=X", "as a variable"),
        (
            "type=secret,id=x,required=true",
            "is required and not given",
        ),
        ("type=tmpfs,target=/proc/x", "below /proc"),
        ("type=tmpfs,target=/dev", "below /dev"),
        ("type=tmpfs,target=/etc/passwd/x", "no directory"),
        ("type=ssh", "type=ssh"),
        ("type=bind,source=none,target=/in", "matches nothing"),
    ] {
        let (_, text) = yard.fails(&format!("FROM base\nRUN --mount={mount} true"));
        assert!(
            text.contains("line 2: ") && text.contains(word),
            "{mount}: {text}"
        );
    }
}

#[test]
fn a_cache_is_that_of_its_scope_and_of_nobody_else() {
    let Some(yard) = Yard::new() else { return };
    let scoped = |cache_scope| With {
        cache_scope,
        ..With::default()
    };
    let mount = "--mount=type=cache,target=/k";
    let text = format!(
        "FROM base\nRUN {mount} test ! -e /k/f && touch /k/f && echo made > /made\nRUN {mount} test -e /k/f"
    );
    let cached = |cache_scope| {
        let built = yard
            .build_with(&text, &scoped(cache_scope))
            .unwrap_or_else(|error| panic!("{}", chain(&error)));
        yard.assert_clean();
        built.steps[1].cached
    };
    // Each begins with nothing, though the text and all that it sees is the same.
    assert!(!cached(Some("one")) && !cached(Some("two")));
    assert!(cached(Some("one")));
    // Without a scope a cache is there for one build, and no step that had it is known to another.
    assert!(!cached(None) && !cached(None));
    let kept = fs::read_dir(yard.path("state/builds/caches"))
        .unwrap()
        .count();
    assert_eq!(kept, 2);
}
