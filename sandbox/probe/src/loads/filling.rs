//! Disk, files, shared memory, queues.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::call::{call, errno, name_of};
use crate::questions::identity::path;

/// Writes to `file=` until it is refused; fails as a program does that cannot save its work, unless `succeed` is given.
fn fill(file: &str, arguments: &Arguments) -> ExitCode {
    let chunk = vec![7_u8; 1 << 20];
    let mut written = 0_u64;
    let error = match File::create(file) {
        Err(error) => error,
        Ok(mut opened) => loop {
            match opened.write(&chunk) {
                Ok(bytes) => written += bytes as u64,
                Err(error) => break error,
            }
            if written > 1 << 30 {
                println!("written {written}, without end");
                return ExitCode::FAILURE;
            }
        },
    };
    println!(
        "written {written}, then {}",
        name_of(error.raw_os_error().unwrap_or(0))
    );
    if arguments.get("succeed").is_some() {
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// Below every directory that may be written, the output last.
pub(crate) fn disk(arguments: &Arguments) -> ExitCode {
    fill("/probe-big", arguments);
    fill("/tmp/probe-big", arguments);
    fill("/dev/probe-big", arguments);
    fill("/out/probe-big", arguments)
}

/// Makes empty files until it is refused.
pub(crate) fn inodes(_: &Arguments) -> ExitCode {
    for folder in ["/dev", "/out"] {
        let mut made = 0;
        let error = loop {
            match File::create(format!("{folder}/probe-{made}")) {
                Ok(_) if made < 1_000_000 => made += 1,
                Ok(_) => break 0,
                Err(error) => break error.raw_os_error().unwrap_or(0),
            }
        };
        println!("{folder} made {made}, then {}", name_of(error));
    }
    ExitCode::FAILURE
}

/// `/dev/shm`, then segments of System V, which belong to no process.
pub(crate) fn shared_memory(arguments: &Arguments) -> ExitCode {
    fill("/dev/shm/probe", arguments);
    // SAFETY: no memory is passed.
    let segment = unsafe { libc::shmget(libc::IPC_PRIVATE, 1 << 30, 0o600) };
    println!("segment {segment}");
    // SAFETY: a new mapping is asked for.
    let memory = unsafe { libc::shmat(segment, std::ptr::null(), 0) };
    if memory as isize == -1 {
        println!("no segment, {}", name_of(errno()));
        return ExitCode::SUCCESS;
    }
    for page in 0..(1_usize << 30) / 4096 {
        // SAFETY: the segment has as many bytes.
        unsafe { memory.cast::<u8>().add(page * 4096).write_volatile(1) };
    }
    println!("segment is full");
    ExitCode::SUCCESS
}

/// POSIX message queues, whose memory has a limit of its own.
pub(crate) fn queues(_: &Arguments) -> ExitCode {
    let mut made = 0;
    while made < 10_000 {
        let name = path(&format!("/probe-{made}"));
        // SAFETY: an all-zero `mq_attr` is valid.
        let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
        (attributes.mq_maxmsg, attributes.mq_msgsize) = (10, 8192);
        let name = name.as_ptr() as usize + 1;
        let flags = (libc::O_CREAT | libc::O_RDWR) as usize;
        match call(
            libc::SYS_mq_open,
            [name, flags, 0o600, &raw const attributes as usize, 0, 0],
        ) {
            Ok(fd) => {
                // SAFETY: it was opened just now; the queue stays.
                unsafe { libc::close(fd as i32) };
                made += 1;
            }
            Err(error) => {
                println!("queues {made}, then {}", name_of(error));
                return ExitCode::SUCCESS;
            }
        }
    }
    println!("queues {made}, without end");
    ExitCode::FAILURE
}

/// What must not be taken: `kind=` names one.
pub(crate) fn hostile_outputs(arguments: &Arguments) -> ExitCode {
    let kind = arguments.get("kind").unwrap_or("sparse");
    let planted = "/out/planted";
    fs::write("/out/good", "good").expect("the output can be written");
    let name = path(planted);
    let made = match kind {
        "sparse" => File::create(planted).and_then(|file| {
            file.set_len(8 << 40)?;
            println!("blocks {}", file.metadata()?.blocks());
            Ok(())
        }),
        "symlink" => symlink(arguments.get("to").unwrap_or("/etc/passwd"), planted),
        "hard-link" => fs::hard_link("/out/good", planted),
        "hard-link-to-input" => fs::hard_link("/in/data", planted),
        "fifo" => {
            // SAFETY: the path ends in NUL.
            match unsafe { libc::mkfifo(name.as_ptr(), 0o666) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        }
        "socket" => std::os::unix::net::UnixListener::bind(planted).map(drop),
        "unreadable" => fs::create_dir(planted).and_then(|()| {
            fs::set_permissions(planted, std::os::unix::fs::PermissionsExt::from_mode(0o000))
        }),
        other => Err(std::io::Error::other(format!("no kind {other}"))),
    };
    match made {
        Ok(()) => println!("planted"),
        Err(error) => println!(
            "not planted: {}",
            name_of(error.raw_os_error().unwrap_or(0))
        ),
    }
    ExitCode::SUCCESS
}

/// `files=` empty files in directories that may not be entered, nested as deep as a path goes.
pub(crate) fn many_files(arguments: &Arguments) -> ExitCode {
    let files = arguments.number("files", 10_000);
    let mut folder = String::from("/probe-tree");
    let mut made = 0;
    let _ = fs::create_dir(&folder);
    while made < files {
        if made % 500 == 0 && folder.len() < 3000 {
            folder.push_str("/a-directory-in-a-directory");
            let _ = fs::create_dir(&folder);
        }
        if File::create(format!("{folder}/{made}")).is_err() {
            break;
        }
        made += 1;
    }
    let _ = fs::set_permissions(
        "/probe-tree",
        std::os::unix::fs::PermissionsExt::from_mode(0o000),
    );
    println!("made {made}");
    ExitCode::SUCCESS
}
