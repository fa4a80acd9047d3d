//! System calls by number, and each question in a process of its own: it may be killed for it, or hang.

use std::time::{Duration, Instant};

use crate::verdict::Verdict;

/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The error that the last call has left.
pub(crate) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Makes the call; its value, or its error.
pub(crate) fn call(number: libc::c_long, arguments: [usize; 6]) -> Result<i64, i32> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: pointers among the arguments are null or point into memory that the caller keeps; what a hostile call does to this process,
    // which exists for it alone, does not matter.
    let value = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if value < 0 { Err(errno()) } else { Ok(value) }
}

/// A name for an error.
pub(crate) fn name_of(errno: i32) -> String {
    let name = match errno {
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::ESRCH => "ESRCH",
        libc::EIO => "EIO",
        libc::ENXIO => "ENXIO",
        libc::EBADF => "EBADF",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EFAULT => "EFAULT",
        libc::EBUSY => "EBUSY",
        libc::EINVAL => "EINVAL",
        libc::EROFS => "EROFS",
        libc::ENOSPC => "ENOSPC",
        libc::ENOSYS => "ENOSYS",
        libc::EXDEV => "EXDEV",
        libc::ETXTBSY => "ETXTBSY",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        other => return format!("errno {other}"),
    };
    name.to_owned()
}

/// What a call's answer says: these errors come before the kernel has done anything, any other answer comes from the code behind them.
pub(crate) fn judge(answer: Result<i64, i32>) -> Verdict {
    match answer {
        Ok(value) => Verdict::allowed(format!("returned {value}")),
        Err(error @ (libc::EPERM | libc::ENOSYS | libc::EACCES)) => {
            Verdict::refused(name_of(error))
        }
        Err(error) => Verdict::allowed(format!("got as far as {}", name_of(error))),
    }
}

/// Forks. In the child `work` runs, and its answer is the child's exit code.
pub(crate) fn forked(work: impl FnOnce() -> i32) -> Result<libc::pid_t, i32> {
    // SAFETY: this program has one thread.
    match unsafe { libc::fork() } {
        -1 => Err(errno()),
        0 => {
            let code = work();
            // SAFETY: nothing of this process is needed any more.
            unsafe { libc::_exit(code) }
        }
        pid => Ok(pid),
    }
}

/// Waits for the process `pid`: its status as the kernel gives it.
pub(crate) fn waited(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` lives across the call.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1 && errno() == libc::EINTR {}
    status
}

/// The verdict of `question`, asked in a process of its own. Killed for it by SIGSYS is refused.
pub(crate) fn isolated(question: impl FnOnce() -> Verdict) -> Verdict {
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
        return Verdict::allowed(format!("not asked: no pipe, {}", name_of(errno())));
    }
    let child = forked(|| {
        let bytes = question().encode();
        // SAFETY: the bytes live across the call.
        unsafe { libc::write(ends[1], bytes.as_ptr().cast(), bytes.len().min(4096)) };
        0
    });
    // SAFETY: it is this process's, and not used again.
    unsafe { libc::close(ends[1]) };
    let Ok(child) = child else {
        return Verdict::allowed("not asked: no process");
    };
    let started = Instant::now();
    let mut bytes = vec![0; 4096];
    let mut length = 0;
    loop {
        let mut polled = libc::pollfd {
            fd: ends[0],
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one entry is there.
        if unsafe { libc::poll(&raw mut polled, 1, 100) } > 0 {
            // SAFETY: `bytes` has as much room from `length` on.
            let read = unsafe {
                libc::read(
                    ends[0],
                    bytes[length..].as_mut_ptr().cast(),
                    bytes.len() - length,
                )
            };
            if read <= 0 {
                break;
            }
            length += read as usize;
        }
        if started.elapsed() > PATIENCE {
            // SAFETY: no memory is passed.
            unsafe { libc::kill(child, libc::SIGKILL) };
            waited(child);
            return Verdict::allowed("hung");
        }
    }
    // SAFETY: as above.
    unsafe { libc::close(ends[0]) };
    let status = waited(child);
    match Verdict::decode(&bytes[..length]) {
        Some(verdict) => verdict,
        None if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSYS => {
            Verdict::refused("killed by SIGSYS")
        }
        None => Verdict::allowed(format!("died without an answer, status {status:#x}")),
    }
}
