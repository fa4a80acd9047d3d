//! Arguments of `gradus sandbox build` and `gradus sandbox image`.

use super::values::{
    INODES_MAX, PIDS_MAX, parse_cpus, parse_image, parse_tag, parse_time, parse_variable,
};
use super::{EgressArgs, RegistryArgs};
use crate::bytes::ByteSize;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `gradus sandbox build`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct BuildArgs {
    /// Directory that files are copied from.
    #[arg(value_name = "CONTEXT")]
    pub context: PathBuf,

    /// The Dockerfile [default: Dockerfile in CONTEXT].
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// A name that the image gets. Repeat for more.
    #[arg(short, long = "tag", value_name = "NAME[:TAG]", value_parser = parse_tag)]
    pub tags: Vec<String>,

    /// A value for an ARG.
    #[arg(long = "build-arg", value_name = "NAME=VALUE", value_parser = parse_variable)]
    pub args: Vec<String>,

    /// Stage to build, by name or number [default: the last].
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,

    /// A file for RUN --mount=type=secret.
    #[arg(long = "secret", value_name = "id=ID,src=FILE", value_parser = parse_secret)]
    pub secrets: Vec<Given>,

    /// Keep caches of RUN --mount=type=cache for later builds of this scope. Whoever shares a scope runs what others left in its caches: one
    /// for each submitter [default: caches end with the build].
    #[arg(long, value_name = "NAME")]
    pub cache_scope: Option<String>,

    /// Take base images that the store lacks from their registries.
    #[arg(long)]
    pub pull: bool,

    /// How registries are asked.
    #[command(flatten)]
    pub registries: RegistryArgs,

    /// What commands may reach.
    #[command(flatten)]
    pub egress: EgressArgs,

    /// Do every step again.
    #[arg(long)]
    pub no_cache: bool,

    /// Print nothing but the image's digest, and errors.
    #[arg(short, long)]
    pub quiet: bool,

    /// Write what was built to this file, as JSON: image, bases, steps, large files.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Time of the whole build, such as 90s, 30m, 2h.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_time)]
    pub time: Duration,

    /// Memory of a command with page cache.
    #[arg(long, value_name = "SIZE", default_value = "4GiB")]
    pub memory: ByteSize,

    /// Processes and threads of a command.
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(1..=PIDS_MAX))]
    pub pids: u64,

    /// Processors of a command, such as 1.5 [default: all].
    #[arg(long, value_name = "N", value_parser = parse_cpus)]
    pub cpus: Option<u64>,

    /// What one step writes.
    #[arg(long, value_name = "SIZE", default_value = "16GiB")]
    pub disk: ByteSize,

    /// Files that one step writes.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=INODES_MAX))]
    pub inodes: u64,

    /// The image with its base, unpacked.
    #[arg(long, value_name = "SIZE", default_value = "48GiB")]
    pub image_size: ByteSize,

    /// What is read of the context.
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    pub context_size: ByteSize,

    /// Report files of this size and more.
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub large: ByteSize,

    /// Latest time in the image, seconds since 1970 [default: SOURCE_DATE_EPOCH, else 1980-01-02]. The same commands then give the same image.
    #[arg(long, value_name = "SECONDS")]
    pub epoch: Option<u64>,
}

/// A secret as it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// what the Dockerfile calls it
    pub id: String,
    /// its file
    pub path: PathBuf,
}

/// Arguments of `gradus sandbox image`.
#[derive(Debug, Args)]
pub struct ImageArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ImageCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// List images.
    List(ListArgs),
    /// Take an image out of an OCI layout.
    Import(ImportArgs),
    /// Write an image as an OCI layout.
    Export(ExportArgs),
    /// Take a name away. An image without a name goes with the next gc.
    Remove(RemoveArgs),
    /// Remove images, layers and caches that were not used for long, or until the rest is small enough.
    Gc(ImageGcArgs),
}

/// Arguments of `gradus sandbox image list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `gradus sandbox image import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A directory or an archive with an OCI layout.
    pub layout: PathBuf,

    /// A name that the image gets.
    #[arg(short, long = "tag", value_name = "NAME[:TAG]", value_parser = parse_tag)]
    pub tag: Option<String>,

    /// The layout's own name for it, where it has several images.
    #[arg(long)]
    pub reference: Option<String>,
}

/// Arguments of `gradus sandbox image export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Name or digest.
    #[arg(value_parser = parse_image)]
    pub image: String,

    /// Directory that is made.
    pub layout: PathBuf,

    /// The layout's name for it [default: its tag].
    #[arg(long)]
    pub reference: Option<String>,
}

/// Arguments of `gradus sandbox image remove`.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// Names.
    #[arg(required = true, value_parser = parse_tag)]
    pub names: Vec<String>,
}

/// Arguments of `gradus sandbox image gc`.
#[derive(Debug, Args)]
pub struct ImageGcArgs {
    /// Remove what was not used for so long.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub age: Option<Duration>,

    /// Then what was used longest ago, until the rest takes no more than this.
    #[arg(long, value_name = "SIZE")]
    pub size: Option<ByteSize>,
}

fn parse_secret(text: &str) -> Result<Given, String> {
    let wrong = || format!("{text:?}: id=ID,src=FILE is expected");
    let (mut id, mut path) = (None, None);
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("id", value)) if !value.is_empty() => id = Some(value.to_owned()),
            Some(("src" | "source", value)) if !value.is_empty() => path = Some(value.into()),
            Some(("type", "file")) => {}
            _ => return Err(wrong()),
        }
    }
    match (id, path) {
        (Some(id), Some(path)) => Ok(Given { id, path }),
        _ => Err(wrong()),
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0    it is built; the image's digest is on standard output
  1    the Dockerfile, its context or one of its commands is at fault
  2    the command line cannot be read; nothing was tried
  70   this program is at fault
  125  gradus could not build it: what is named is not there or does not fit, or this host fails
  130  interrupted

Examples:
  gradus sandbox build ./repository -t trainer
  gradus sandbox build ./repository -f ./repository/docker/text.Dockerfile -t trainer:1 --time 30m --image-size 30GiB
  gradus sandbox run --image trainer -- python --version";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_an_id_and_a_file() {
        let given = parse_secret("type=file,id=a,src=/b=c").expect("both are there");
        assert_eq!(
            (given.id.as_str(), given.path.to_str()),
            ("a", Some("/b=c"))
        );
        for wrong in [
            "",
            "id=a",
            "src=b",
            "id=,src=b",
            "id=a,src=b,x=y",
            "id=a,env=B",
        ] {
            assert!(parse_secret(wrong).is_err(), "{wrong}");
        }
    }
}
