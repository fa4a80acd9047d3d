//! A registry that others made, with images that others made, read as others read them.

use super::{Place, limits};
use gradus_fetch::net::{Reach, Secret};
use gradus_fetch::registry::{Credentials, PullError, PullOptions};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `me:hunter2`, by libxcrypt.
const HTPASSWD: &str = "me:$2b$04$Z/N8rgE8hCxyfNgSyhGWTO6uAUoDOqd/UsbePMAWStW2Vwsuz5pUK\n";

/// docker-registry on loopback, with a folder of its own.
struct Registry {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

impl Registry {
    /// `None` where a tool is missing, which is said.
    fn start(with_login: bool) -> Option<Registry> {
        for tool in ["docker-registry", "skopeo", "umoci", "busybox"] {
            let found = Command::new(tool)
                .arg("--help")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if found.is_err() {
                println!("skipped: {tool} is not installed");
                return None;
            }
        }
        if !std::fs::read_to_string("/proc/self/status")
            .unwrap()
            .contains("\nUid:\t0\t0\t")
        {
            println!("skipped: images are unpacked as root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .to_string();
            let mut child = start(folder.path(), &address, with_login);
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(20) && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(&address).is_ok() {
                    return Some(Registry {
                        child,
                        address,
                        folder,
                    });
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            // Somebody else took the port.
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("docker-registry does not start");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

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
        let to = format!("docker://{}/team/image:v1", self.address);
        run(
            "skopeo",
            &[
                "copy",
                "-q",
                "--dest-tls-verify=false",
                "--dest-creds=me:hunter2",
                &format!("oci:{image}"),
                &to,
            ],
        );
        layout
    }

    fn inspect(&self, what: &str) -> String {
        let from = format!("docker://{}/team/image:v1", self.address);
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
            reach: Reach::public().trust(&self.address),
            ..PullOptions::default()
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(folder: &Path, address: &str, with_login: bool) -> Child {
    let mut config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\n",
        folder.join("registry").display()
    );
    if with_login {
        std::fs::write(folder.join("htpasswd"), HTPASSWD).unwrap();
        config += &format!(
            "auth: {{htpasswd: {{realm: r, path: {}}}}}\n",
            folder.join("htpasswd").display()
        );
    }
    let file = folder.join("config.yml");
    std::fs::write(&file, config).unwrap();
    Command::new("docker-registry")
        .arg("serve")
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn which(program: &str) -> String {
    run("sh", &["-c", &format!("command -v {program}")])
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
            &format!("{}/team/image:v1", registry.address),
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
    let by_digest = format!("{}/team/image@{}", registry.address, pulled.resolved);
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
    let name = format!("{}/team/image:v1", registry.address);
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
        credentials: Credentials::none().with(&registry.address, "me", Secret::new(password)),
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
            .pull(registry.options(), &format!("{}/{name}", registry.address))
            .unwrap_err();
        assert!(matches!(error, PullError::NotFound { .. }), "{error:?}");
    }
    place.is_empty();
}
