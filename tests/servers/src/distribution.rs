//! A registry that others made (docker-registry), with a folder of its own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `me:hunter2`, by libxcrypt.
const HTPASSWD: &str = "me:$2b$04$Z/N8rgE8hCxyfNgSyhGWTO6uAUoDOqd/UsbePMAWStW2Vwsuz5pUK\n";

/// One that runs until it is dropped.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

impl Registry {
    /// `None` where a tool is missing, which is said. With a login it is for `me` with the password `hunter2`.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(with_login: bool) -> Option<Registry> {
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

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Puts an image of a layout into it, as `oci:DIR:TAG` names one.
    ///
    /// # Panics
    /// It does not take it.
    pub fn put(&self, image: &str, name: &str) {
        let to = format!("docker://{}/{name}", self.address);
        run(
            "skopeo",
            &[
                "copy",
                "-q",
                "--dest-tls-verify=false",
                "--dest-creds=me:hunter2",
                image,
                &to,
            ],
        );
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

/// What a program prints.
///
/// # Panics
/// It fails.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Where a program lies.
///
/// # Panics
/// It is not there.
pub fn which(program: &str) -> String {
    run("sh", &["-c", &format!("command -v {program}")])
}
