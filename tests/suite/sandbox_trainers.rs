//! Dockerfiles with the instructions of the subnet's trainers, on bases of a registry, with packages of an index that only the proxy reaches:
//! built as a user builds them, and read as other programs read them.

use crate::binary::{Finished, gradus};
use gradus_servers::distribution::{Registry, run, which};
use gradus_servers::registry::archive;
use gradus_servers::server::{Peer, Request, Server};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// As the one for text: packages of two kinds, programs of another image, directories, a script by a relative path.
const TEXT: &str = r#"FROM REGISTRY/team/text-base:main-py3.11

RUN apt-get update && \
    # what cloning needs
    apt-get install -y --no-install-recommends git curl && \
    rm -rf /var/lib/apt/lists/*
COPY --from=REGISTRY/team/tools:0.5 /uv /uvx /bin/
ENV TOOL_LINK_MODE=copy \
    MODEL_CACHE="/cache/models and more"
ENV PYTHONUNBUFFERED 1
WORKDIR /workspace
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt --extra-index-url http://INDEX/simple
RUN uv pip-of-another-image && pip install "deep[extra]"
COPY src ./src
COPY scripts/ /workspace/scripts/
RUN chmod +x scripts/*.sh && mkdir -p /cache/models
ENTRYPOINT ["./scripts/train_text.sh"]
"#;

/// As the one for images: all of the context, a user's shell script, an argument that it adds.
const IMAGE: &str = r#"FROM REGISTRY/team/image-base:latest
ENV DEBIAN_FRONTEND=noninteractive
WORKDIR /app/trainer
RUN pip install --upgrade deep && pip install wide==1.0 \
 && ln -s /app/trainer /trainer
COPY . .
RUN mkdir -p /dataset/configs /app/outputs && chmod 777 /dataset /app/outputs
ENV CONFIG_DIR=/dataset/configs PATH=/app/trainer/bin:$PATH
ENTRYPOINT ["sh", "train_image.sh"]
CMD ["--steps", "10"]
"#;

/// What stands for the package managers in a base of busybox. They know nothing of a proxy but what `wget` finds in its environment.
const APT: &str = r#"#!/bin/sh
set -e
command=$1; shift
[ "$command" != update ] || exec wget -q -O /var/lib/apt/lists/Packages http://INDEX/Packages
for package; do
    case $package in -*) continue ;; esac
    grep -qx "$package" /var/lib/apt/lists/Packages
    wget -q -O - "http://INDEX/pool/$package.tar" | tar -x -C /
done
"#;
const PIP: &str = r#"#!/bin/sh
set -e
for word in "$@" $(cat requirements.txt 2>/dev/null); do
    case $word in install | -* | http* | requirements.txt) continue ;; esac
    name=${word%%[=[]*}
    wget -q -O - "http://INDEX/simple/$name.tar" | tar -x -C /usr/lib/python
done
"#;

struct Place {
    folder: tempfile::TempDir,
    registry: Registry,
    index: Server,
}

impl Place {
    /// None, said aloud, where a tool is missing.
    fn new() -> Option<Place> {
        let registry = Registry::start(false)?;
        let index = Server::start(|request: &Request, peer: &mut Peer| {
            let name = request.path.rsplit('/').next().unwrap_or_default();
            let name = name.trim_end_matches(".tar");
            match request.path.as_str() {
                "/Packages" => peer.answer(200, &[], b"git\ncurl\n"),
                path if path.starts_with("/pool/") => {
                    peer.answer(
                        200,
                        &[],
                        &archive(&format!("usr/bin/{name}"), name.as_bytes()),
                    );
                }
                path if path.starts_with("/simple/") => {
                    peer.answer(
                        200,
                        &[],
                        &archive(&format!("{name}/__init__.py"), name.as_bytes()),
                    );
                }
                _ => peer.answer(404, &[], b""),
            }
        });
        let place = Place {
            folder: tempfile::tempdir().unwrap(),
            registry,
            index,
        };
        let root = place.path("root");
        for dir in [
            "bin",
            "usr/bin",
            "usr/lib/python",
            "var/lib/apt/lists",
            "etc",
            "tmp",
            "root",
        ] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::copy(which("busybox"), root.join("bin/busybox")).unwrap();
        for applet in run("busybox", &["--list"])
            .lines()
            .filter(|applet| *applet != "busybox")
        {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        for (name, text) in [("apt-get", APT), ("pip", PIP)] {
            let path = root.join("usr/bin").join(name);
            fs::write(&path, text.replace("INDEX", place.index.address())).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let config = [
            "--config.env",
            "PATH=/usr/bin:/bin",
            "--config.env",
            "CUDA_VERSION=12.8",
            "--config.workingdir",
            "/root",
        ];
        place.publish("root", &config, "team/text-base:main-py3.11");
        place.publish(
            "root",
            &[&config[..], &["--config.cmd", "sh"]].concat(),
            "team/image-base:latest",
        );
        let tools = place.path("tools");
        fs::create_dir(&tools).unwrap();
        for name in ["uv", "uvx"] {
            fs::write(tools.join(name), "#!/bin/sh\necho $0 $@\n").unwrap();
            fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        place.publish("tools", &[], "team/tools:0.5");
        for (path, text) in [
            ("requirements.txt", "deep==2.1\nwide\n"),
            ("src/train.py", "print()\n"),
            ("src/data/loader.py", "pass\n"),
            (
                "scripts/train_text.sh",
                "#!/bin/sh\npwd; echo $MODEL_CACHE; cat src/train.py\n",
            ),
            ("train_image.sh", "pwd; echo $CONFIG_DIR $@\n"),
            (".dockerignore", "*.tmp\n"),
            ("left.tmp", "out"),
        ] {
            let path = place.path("context").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A directory as an image of the registry, made by other programs.
    fn publish(&self, root: &str, config: &[&str], name: &str) {
        let layout = self.path("layout");
        let (image, bundle) = (format!("{}:x", layout.display()), self.path("bundle"));
        let (layout, bundle) = (layout.to_str().unwrap(), bundle.to_str().unwrap());
        run("umoci", &["init", "--layout", layout]);
        run("umoci", &["new", "--image", &image]);
        run("umoci", &["unpack", "--image", &image, bundle]);
        let (from, to) = (self.path(root), Path::new(bundle).join("rootfs"));
        run("cp", &["-aT", from.to_str().unwrap(), to.to_str().unwrap()]);
        run("umoci", &["repack", "--image", &image, bundle]);
        if !config.is_empty() {
            run("umoci", &[&["config", "--image", &image], config].concat());
        }
        self.registry.put(&format!("oci:{image}"), name);
        fs::remove_dir_all(bundle).unwrap();
        fs::remove_dir_all(layout).unwrap();
    }

    fn sandbox(&self, arguments: &[&str]) -> Finished {
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

    fn build(&self, text: &str, name: &str, more: &[&str]) -> Finished {
        let file = self.path("Dockerfile");
        let text = text
            .replace("REGISTRY", self.registry.address())
            .replace("INDEX", self.index.address());
        fs::write(&file, text).unwrap();
        let (context, json) = (self.path("context"), self.path("built.json"));
        let mut arguments = vec![
            "build",
            context.to_str().unwrap(),
            "-f",
            file.to_str().unwrap(),
            "-t",
            name,
            "--json",
            json.to_str().unwrap(),
            "--pull",
            "--trust",
            self.registry.address(),
        ];
        arguments.extend(more);
        self.sandbox(&arguments)
    }

    fn built(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("built.json")).unwrap()).unwrap()
    }

    /// As umoci unpacks it, and as skopeo reads its configuration.
    fn read_by_others(&self, name: &str) -> (PathBuf, Value) {
        let (layout, bundle) = (
            self.path(&format!("{name}-layout")),
            self.path(&format!("{name}-bundle")),
        );
        let exported = self.sandbox(&[
            "image",
            "export",
            name,
            layout.to_str().unwrap(),
            "--reference",
            "x",
        ]);
        assert_eq!(exported.code, Some(0), "{}", exported.stderr);
        let image = format!("{}:x", layout.display());
        run(
            "umoci",
            &["unpack", "--image", &image, bundle.to_str().unwrap()],
        );
        let config = run("skopeo", &["inspect", "--config", &format!("oci:{image}")]);
        (
            bundle.join("rootfs"),
            serde_json::from_str(&config).unwrap(),
        )
    }
}

/// Of each file: kind, permissions, owner, target, content. But for what every job has of its own.
const LISTING: &str = "find . -xdev \\( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp \\) -prune -o -print | sort | \
    while read -r f; do stat -c '%n %F %a %u:%g' \"$f\"; [ -h \"$f\" ] && readlink \"$f\"; [ -f \"$f\" ] && sha256sum < \"$f\"; done; true";

#[test]
fn trainers_dockerfiles_are_built_from_a_registry_through_the_proxy() {
    let Some(place) = Place::new() else { return };
    let index = place.index.address().to_owned();
    let allowed = ["--allow-host", index.as_str()];
    for (text, name, entrypoint, cmd, directory, env, said) in [
        (
            TEXT,
            "text",
            &["./scripts/train_text.sh"][..],
            Value::Null,
            "/workspace",
            &[
                "PATH=/usr/bin:/bin",
                "CUDA_VERSION=12.8",
                "TOOL_LINK_MODE=copy",
                "MODEL_CACHE=/cache/models and more",
                "PYTHONUNBUFFERED=1",
            ][..],
            "/workspace\n/cache/models and more\nprint()\n",
        ),
        (
            IMAGE,
            "image",
            &["sh", "train_image.sh"],
            serde_json::json!(["--steps", "10"]),
            "/app/trainer",
            &[
                "PATH=/app/trainer/bin:/usr/bin:/bin",
                "CUDA_VERSION=12.8",
                "DEBIAN_FRONTEND=noninteractive",
                "CONFIG_DIR=/dataset/configs",
            ],
            "/app/trainer\n/dataset/configs --steps 10\n",
        ),
    ] {
        // Nothing is reached that is not named: the first step that asks for something fails.
        let without = place.build(text, name, &[]);
        assert_eq!(without.code, Some(1), "{}", without.stderr);

        let first = place.build(text, name, &allowed);
        assert_eq!(first.code, Some(0), "{}", first.stderr);
        let bases = place.built()["bases"].clone();
        for base in bases.as_array().unwrap() {
            let reference = base["reference"].as_str().unwrap();
            let digest = run(
                "skopeo",
                &[
                    "inspect",
                    "--tls-verify=false",
                    "--format",
                    "{{.Digest}}",
                    &format!("docker://{reference}"),
                ],
            );
            assert_eq!(base["manifest"], digest, "{reference}");
        }
        let again = place.build(text, name, &allowed);
        assert_eq!(
            (again.code, &again.stdout),
            (Some(0), &first.stdout),
            "{}",
            again.stderr
        );
        let took_ms = place.built()["took_ms"].as_u64().unwrap();
        println!("{name}: a build of which all is known took {took_ms} ms");
        assert!(
            took_ms < 5000,
            "{took_ms} ms for a build of which all is known"
        );
        let fresh = place.build(text, name, &[&allowed[..], &["--no-cache"]].concat());
        assert_eq!(
            (fresh.code, &fresh.stdout),
            (Some(0), &first.stdout),
            "two builds, one digest: {}",
            fresh.stderr
        );

        let (rootfs, config) = place.read_by_others(name);
        let config = &config["config"];
        assert_eq!(
            config["Entrypoint"],
            serde_json::json!(entrypoint),
            "{name}"
        );
        assert_eq!(config["Cmd"], cmd, "{name}");
        assert_eq!(config["WorkingDir"], directory, "{name}");
        assert_eq!(config["User"].as_str().unwrap_or_default(), "", "{name}");
        let mut found: Vec<&str> = config["Env"]
            .as_array()
            .unwrap()
            .iter()
            .map(|env| env.as_str().unwrap())
            .collect();
        let mut env = env.to_vec();
        found.sort_unstable();
        env.sort_unstable();
        assert_eq!(found, env, "{name}");
        let ran = place.sandbox(&["run", "--image", name]);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(0), said),
            "{}",
            ran.stderr
        );
        // What a job sees is what umoci unpacks.
        let theirs = Command::new("busybox")
            .args(["sh", "-c", LISTING])
            .current_dir(&rootfs)
            .output()
            .unwrap();
        let script = format!("cd /; {LISTING}");
        let ours = place.sandbox(&[
            "run",
            "--image",
            name,
            "--entrypoint",
            "sh",
            "--",
            "-c",
            &script,
        ]);
        assert_eq!(ours.code, Some(0), "{}", ours.stderr);
        let theirs = String::from_utf8(theirs.stdout).unwrap();
        let lines = |text: &str| {
            text.lines()
                .map(str::to_owned)
                .filter(|line| !line.starts_with(". "))
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(&ours.stdout), lines(&theirs), "{name}");
        assert!(
            theirs.contains("./usr/lib/python/deep/__init__.py") && !theirs.contains("left.tmp"),
            "{theirs}"
        );
    }
}
