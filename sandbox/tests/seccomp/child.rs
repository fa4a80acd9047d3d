//! A child that puts the filters in force, or does not, and then makes calls or runs a program.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use gradus_sandbox::seccomp::Policy;

use crate::cases::number;

const MODE: &str = "GRADUS_SECCOMP_MODE";

/// Whether the filters are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    On,
    /// those of jobs with GPUs
    Gpu,
    Off,
}

/// One system call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: [u64; 6],
}

impl Call {
    pub(crate) fn new(name: &str, arguments: [u64; 6]) -> Call {
        Call {
            name: name.to_owned(),
            arguments,
        }
    }
}

/// Makes `calls` in one child, in this order, and returns the error number of each, 0 for none.
pub(crate) fn answers(filter: Filter, calls: &[Call]) -> Vec<i32> {
    let lines: Vec<String> = calls
        .iter()
        .map(|call| {
            let number =
                number(&call.name).unwrap_or_else(|| panic!("{} is not a call here", call.name));
            let words: Vec<String> = call.arguments.iter().map(u64::to_string).collect();
            format!("{number} {}", words.join(" "))
        })
        .collect();
    let output = run("calls", filter, &lines.join("\n"));
    let text = String::from_utf8_lossy(&output.stdout);
    let answers: Vec<i32> = text
        .lines()
        .filter_map(|line| line.strip_prefix("ANSWER ")?.parse().ok())
        .collect();
    let next = calls.get(answers.len());
    assert_eq!(
        answers.len(),
        calls.len(),
        "{:?}: the child ended at {next:?}\n{}",
        output.status,
        error(&output)
    );
    answers
}

/// Runs the body called `name` (see `child`) in a child, with `input` on its standard input.
pub(crate) fn run(name: &str, filter: Filter, input: &str) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child::child",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(MODE, format!("{name} {filter:?}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

/// What a child said before it failed.
pub(crate) fn error(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The signal that ended a child.
pub(crate) fn signal(output: &Output) -> Option<i32> {
    output.status.signal()
}

/// Past the capture of what tests print, so that a skip is seen.
pub(crate) fn skip(why: &str) {
    std::io::stderr()
        .write_all(format!("SKIPPED: {why}\n").as_bytes())
        .unwrap();
}

fn raw(number: u32, [a, b, c, d, e, f]: [u64; 6]) -> i32 {
    // SAFETY: callers pass arguments that name no memory, descriptor or process (mostly -1), which the kernel refuses before it does
    // anything that this process would notice.
    let result = unsafe { libc::syscall(libc::c_long::from(number), a, b, c, d, e, f) };
    if result == -1 {
        std::io::Error::last_os_error().raw_os_error().unwrap()
    } else {
        0
    }
}

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn child() {
    let Ok(mode) = std::env::var(MODE) else {
        return;
    };
    let (body, filter) = mode.split_once(' ').unwrap();
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    println!();
    if filter != "Off" {
        rustix::thread::set_no_new_privs(true).unwrap();
        let policy = match filter {
            "Gpu" => Policy::trainer_with_gpu(),
            _ => Policy::trainer(),
        };
        let programs = policy.compile().unwrap().programs;
        let start = std::time::Instant::now();
        for program in programs {
            gradus_jail::seccomp::install(&program).unwrap();
        }
        println!("installed in {:?}", start.elapsed());
    }
    match body {
        "calls" => calls(&input),
        "threads" => threads(),
        "interfaces" => interfaces(),
        "fork" => fork(),
        "signals" => signals(),
        "i386" => i386(),
        "x32" => println!("ANSWER {}", raw(0x4000_0000 | 39, [0; 6])),
        "cost" => cost(),
        "shell" => shell(&input),
        other => panic!("no body {other}"),
    }
    // not by returning: some calls have left this thread in a state in which it cannot be joined
    std::io::stdout().flush().unwrap();
    std::process::exit(0);
}

fn calls(input: &str) {
    for line in input.lines() {
        let words: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let number = u32::try_from(words[0]).unwrap();
        println!("ANSWER {}", raw(number, words[1..].try_into().unwrap()));
    }
}

/// Threads that begin by clone, since clone3 is absent.
fn threads() {
    let threads: Vec<_> = (0..8)
        .map(|it| std::thread::spawn(move || it * 2))
        .collect();
    let sum: i32 = threads.into_iter().map(|it| it.join().unwrap()).sum();
    println!("ANSWER {sum}");
}

fn interfaces() {
    let mut list = std::ptr::null_mut();
    // SAFETY: `list` outlives the call, which sets it to a list of its own or fails.
    let status = unsafe { libc::getifaddrs(&raw mut list) };
    println!("ANSWER {}", i32::from(status == 0 && !list.is_null()));
}

/// vfork by number would return twice into one frame, so only fork is made.
fn fork() {
    let fork = libc::c_long::from(number("fork").expect("only asked where there is one"));
    // SAFETY: the child ends at once: it touches no memory of its parent, and no destructors run.
    let pid = unsafe { libc::syscall(fork) };
    if pid == 0 {
        // SAFETY: as above.
        unsafe { libc::_exit(7) };
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    unsafe { libc::waitpid(i32::try_from(pid).unwrap(), &raw mut status, 0) };
    println!("ANSWER {}", libc::WEXITSTATUS(status));
}

/// A handler that runs and returns: `rt_sigaction`, `rt_sigreturn`; then `alarm` ends a `pause`.
fn signals() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler = nothing as extern "C" fn(libc::c_int);
    // SAFETY: the handler does nothing, so it may run at any time; no pointers are passed.
    unsafe {
        libc::signal(libc::SIGALRM, handler as libc::sighandler_t);
        libc::raise(libc::SIGALRM);
        // to this thread, which is the one that waits
        let own = libc::pthread_self();
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(200));
            libc::pthread_kill(own, libc::SIGALRM);
        });
        libc::pause();
    }
    println!("ANSWER 1");
}

#[cfg(target_arch = "x86_64")]
fn i386() {
    let mut result: i64 = 20;
    // SAFETY: number 20 of i386 is getpid, which has no arguments; the register that holds the number is the one that is changed.
    unsafe { std::arch::asm!("int 0x80", inout("rax") result) };
    println!("ANSWER {}", i32::from(result > 0));
}

#[cfg(not(target_arch = "x86_64"))]
fn i386() {}

fn shell(command: &str) {
    let status = Command::new("sh")
        .args(["-ec", command])
        .stdin(Stdio::null())
        .status()
        .unwrap();
    println!("ANSWER {}", status.code().unwrap_or(-1));
}

/// Nanoseconds of three calls, one by one.
fn cost() {
    let time = |name: &str, arguments: [u64; 6]| {
        let number = number(name).unwrap();
        let round = || {
            let start = std::time::Instant::now();
            (0..20_000).for_each(|_| {
                std::hint::black_box(raw(number, arguments));
            });
            start.elapsed().as_nanos() / 20_000
        };
        (0..20).map(|_| round()).min().unwrap()
    };
    let ioctl = time("ioctl", [u64::MAX, 0x5401, 0, 0, 0, 0]);
    let last = time("ioctl", [u64::MAX, 75, 0, 0, 0, 0]);
    println!(
        "ANSWER getppid {} ioctl, first rules {ioctl} ioctl, last rule {last}",
        time("getppid", [0; 6])
    );
}
