//! A registry that others made, with images that others made, read as others read them.

use super::{Place, limits};
use gradus_fetch::net::{Reach, Secret};
use gradus_fetch::registry::{Credentials, PullError, PullOptions};
use gradus_servers::distribution::{Registry, run, which};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What these tests ask of it.
trait Serves {
    fn push(&self) -> PathBuf;
    fn inspect(&self, what: &str) -> String;
    fn options(&self) -> PullOptions;
}

impl Serves for Registry {
    /// An image of two layers, and its layout.
    fn push(&self) -> PathBuf {
        let layout = self.path("layout");
        let bundle = self.path("bundle");
        let image = format!("{}:v1", layout.display());
        run("umoci", &["init", "--layout", layout.to_str().unwrap()]);
        run("umoci", &["new", "--image", &image]);
        let bundle_name = bundle.to_str().unwrap();
        // One layer for each: what `umoci insert` writes has no end.
        for step in 0..2 {
            run("umoci", &["unpack", "--image", &image, bundle_name]);
            let root = bundle.join("rootfs");
            if step == 0 {
                std::fs::create_dir(root.join("bin")).unwrap();
                std::fs::copy(which("busybox"), root.join("bin/busybox")).unwrap();
                std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
            } else {
                std::fs::create_dir_all(root.join("more/deep")).unwrap();
                let content = gradus_servers::registry::noise(300_000, 5);
                std::fs::write(root.join("more/deep/file"), content).unwrap();
            }
            run("umoci", &["repack", "--image", &image, bundle_name]);
            std::fs::remove_dir_all(&bundle).unwrap();
        }
        run(
            "umoci",
            &[
                "config",
                "--image",
                &image,
                "--config.env",
                "A=b",
                "--config.cmd",
                "/bin/sh",
            ],
        );
        self.put(&format!("oci:{image}"), "team/image:v1");
        layout
    }

    fn inspect(&self, what: &str) -> String {
        let from = format!("docker://{}/team/image:v1", self.address());
        run(
            "skopeo",
            &[
                "inspect",
                "--tls-verify=false",
                "--creds=me:hunter2",
                "--format",
                what,
                &from,
            ],
        )
    }

    fn options(&self) -> PullOptions {
        PullOptions {
            limits: gradus_fetch::net::NetLimits {
                stall: Duration::from_secs(10),
                ..limits()
            },
            reach: Reach::public().trust(self.address()),
            ..PullOptions::default()
        }
    }
}

/// Names, kinds, owners, modes, link targets, contents.
fn listing(dir: &Path) -> String {
    let script = "find . -mindepth 1 -printf '%P %y %U:%G %m %l\\n' | sort; find . -type f -print0 | sort -z | xargs -0r sha256sum";
    let output = Command::new("sh")
        .arg("-c")
        .arg(script)
        .current_dir(dir)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_image_is_the_one_that_others_see() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    let layout = registry.push();
    let place = Place::new();
    let pulled = place
        .pull(
            registry.options(),
            &format!("{}/team/image:v1", registry.address()),
        )
        .unwrap();
    assert_eq!(pulled.resolved.to_string(), registry.inspect("{{.Digest}}"));
    let layers: Vec<String> = pulled
        .image
        .layers
        .iter()
        .map(|layer| layer.blob.as_ref().unwrap().digest.to_string())
        .collect();
    assert_eq!(
        format!("[{}]", layers.join(" ")),
        registry.inspect("{{.Layers}}")
    );
    assert_eq!(pulled.config.config.cmd, Some(vec!["/bin/sh".to_owned()]));

    // Layer by layer, ours merged by a copy each over the one before; theirs as umoci unpacks it.
    let (ours, theirs) = (registry.path("ours"), registry.path("theirs"));
    std::fs::create_dir(&ours).unwrap();
    for dir in place.store.layer_dirs(&pulled.image).unwrap().iter().rev() {
        run(
            "cp",
            &["-aT", dir.to_str().unwrap(), ours.to_str().unwrap()],
        );
    }
    let image = format!("{}:v1", layout.display());
    run(
        "umoci",
        &["unpack", "--image", &image, theirs.to_str().unwrap()],
    );
    assert_eq!(listing(&ours), listing(&theirs.join("rootfs")));
    assert!(listing(&ours).contains("bin/busybox f 0:0"));

    // By digest; nothing is fetched any more.
    let by_digest = format!("{}/team/image@{}", registry.address(), pulled.resolved);
    let again = place.pull(registry.options(), &by_digest).unwrap();
    assert_eq!((again.image, again.fetched_bytes), (pulled.image, 0));
    place.has_no_halves();
}

#[test]
fn a_login_opens_a_private_registry() {
    let Some(registry) = Registry::start(true) else {
        return;
    };
    registry.push();
    let place = Place::new();
    let name = format!("{}/team/image:v1", registry.address());
    let error = place.pull(registry.options(), &name).unwrap_err();
    assert!(
        matches!(
            error,
            PullError::Denied {
                with_login: false,
                ..
            }
        ),
        "{error:?}"
    );
    let login = |password: &str| PullOptions {
        credentials: Credentials::none().with(registry.address(), "me", Secret::new(password)),
        ..registry.options()
    };
    let error = place.pull(login("wrong"), &name).unwrap_err();
    assert!(
        matches!(
            error,
            PullError::Denied {
                with_login: true,
                ..
            }
        ),
        "{error:?}"
    );
    place.is_empty();
    place.pull(login("hunter2"), &name).unwrap();
}

#[test]
fn a_tag_that_is_not_there_is_said() {
    let Some(registry) = Registry::start(false) else {
        return;
    };
    registry.push();
    let place = Place::new();
    for name in ["team/image:v2", "team/other:v1"] {
        let error = place
            .pull(
                registry.options(),
                &format!("{}/{name}", registry.address()),
            )
            .unwrap_err();
        assert!(matches!(error, PullError::NotFound { .. }), "{error:?}");
    }
    place.is_empty();
}
