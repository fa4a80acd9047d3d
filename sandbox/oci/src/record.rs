//! The directory of containers: what each is called, where its bundle is, which job it is.
//!
//! ```text
//! ROOT/ID/container.json    written before its job is made, so that whoever comes later finds what is left
//! ROOT/ID/paused            while it is
//! ROOT/ID/attended          when all is passed on that it has printed
//! ```
//! Whoever makes the directory has the name. It is removed by whoever deletes the container.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Hooks;
use crate::error::{OciError, io_error};

/// The specification that states are written for.
pub const VERSION: &str = "1.2.0";
/// Characters of an id at most.
const ID_MAX: usize = 128;
/// How often a directory into which something was just written is removed again, and after how long.
const REMOVE_TRIES: u32 = 50;
const REMOVE_AGAIN: Duration = Duration::from_millis(10);

/// What is kept of a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Container {
    /// what it is called
    pub id: String,
    /// its job
    pub job: String,
    /// its bundle, absolute
    pub bundle: PathBuf,
    /// its owner's words
    pub annotations: BTreeMap<String, String>,
    /// programs that are run for it
    pub hooks: Hooks,
    /// rights that it asks for and does not have
    pub withheld: Vec<String>,
}

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// it is being made
    Creating,
    /// its program waits to be started
    Created,
    /// its program runs
    Running,
    /// its processes stand still
    Paused,
    /// it has ended
    Stopped,
}

impl Status {
    /// What the specification calls it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}

impl Container {
    /// Its state as the specification has it. A process that has ended has no id.
    pub fn state(&self, status: Status, pid: Option<i32>) -> String {
        let mut state = serde_json::json!({
            "ociVersion": VERSION,
            "id": self.id,
            "status": status.name(),
        });
        if let Some(pid) = pid {
            state["pid"] = pid.into();
        }
        state["bundle"] = self.bundle.display().to_string().into();
        state["annotations"] = serde_json::json!(self.annotations);
        format!("{state:#}")
    }
}

/// A directory of containers.
#[derive(Clone, Debug)]
pub struct Containers {
    root: PathBuf,
}

impl Containers {
    /// Those in `root`, made where it is not there.
    pub fn open(root: &Path) -> Result<Containers, OciError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(io_error(root))?;
        Ok(Containers {
            root: root.to_owned(),
        })
    }

    fn place(&self, id: &str) -> Result<PathBuf, OciError> {
        let well_formed = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
        if id.len() > ID_MAX
            || !id.starts_with(|c: char| c.is_ascii_alphanumeric())
            || !id.chars().all(well_formed)
        {
            return Err(OciError::Id(id.to_owned()));
        }
        Ok(self.root.join(id))
    }

    /// Takes the name of `container` and writes it down.
    ///
    /// # Errors
    /// `Id`, `Exists`, `Io`; nothing is there then but what was before.
    pub fn create(&self, container: &Container) -> Result<(), OciError> {
        let place = self.place(&container.id)?;
        match DirBuilder::new().mode(0o700).create(&place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(OciError::Exists(container.id.clone()));
            }
            other => other.map_err(io_error(&place))?,
        }
        let written = self.write(&place, container);
        if written.is_err() {
            let _ = fs::remove_dir_all(&place);
        }
        written
    }

    fn write(&self, place: &Path, container: &Container) -> Result<(), OciError> {
        let text = serde_json::to_vec_pretty(container).expect("plain data");
        let (aside, path) = (place.join("container.tmp"), place.join("container.json"));
        fs::write(&aside, text)
            .and_then(|()| fs::rename(&aside, &path))
            .map_err(io_error(path))
    }

    /// The container `id`.
    ///
    /// # Errors
    /// `Id`, `Missing`, `Io`.
    pub fn find(&self, id: &str) -> Result<Container, OciError> {
        let path = self.place(id)?.join("container.json");
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OciError::Missing(id.to_owned()));
            }
            other => other.map_err(io_error(&path))?,
        };
        serde_json::from_slice(&text)
            .map_err(|error| io_error(path)(io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    /// Forgets the container `id`, whatever of it is there.
    pub fn remove(&self, id: &str) -> Result<(), OciError> {
        let place = self.place(id)?;
        let mut tries = 0;
        loop {
            match fs::remove_dir_all(&place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries == 0 => {
                    return Err(OciError::Missing(id.to_owned()));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                // Whoever passes the output on may put its last file there meanwhile.
                Err(error)
                    if error.kind() == io::ErrorKind::DirectoryNotEmpty && tries < REMOVE_TRIES =>
                {
                    tries += 1;
                    thread::sleep(REMOVE_AGAIN);
                }
                other => return other.map_err(io_error(place)),
            }
        }
    }

    /// All containers, sorted by id.
    pub fn all(&self) -> Result<Vec<Container>, OciError> {
        let mut containers = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(io_error(&self.root))? {
            let name = entry.map_err(io_error(&self.root))?.file_name();
            match name.to_str().map(|id| self.find(id)) {
                Some(Ok(container)) => containers.push(container),
                // Removed a moment ago, or nothing of ours.
                None | Some(Err(OciError::Missing(_) | OciError::Id(_))) => {}
                Some(Err(error)) => return Err(error),
            }
        }
        containers.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(containers)
    }

    /// Notes that all is passed on that the container `id` has printed.
    pub fn set_attended(&self, id: &str) -> Result<(), OciError> {
        let note = self.place(id)?.join("attended");
        fs::write(&note, "").map_err(io_error(note))
    }

    /// Whether it is.
    pub fn is_attended(&self, id: &str) -> bool {
        self.place(id)
            .is_ok_and(|place| place.join("attended").exists())
    }

    /// Notes whether the container `id` stands still.
    pub fn set_paused(&self, id: &str, paused: bool) -> Result<(), OciError> {
        let note = self.place(id)?.join("paused");
        let done = if paused {
            fs::write(&note, "")
        } else {
            fs::remove_file(&note)
        };
        match done {
            Err(error) if !paused && error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(io_error(note)),
        }
    }

    /// Whether it does.
    pub fn is_paused(&self, id: &str) -> bool {
        self.place(id)
            .is_ok_and(|place| place.join("paused").exists())
    }
}
