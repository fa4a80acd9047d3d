//! Programs that training and builds are made of, with the filters in force.

use std::process::{Command, Stdio};

use crate::child::{Filter, error, run, skip};

/// Runs `command` by a shell with the filters in force; where it does not even run without, or `program` is missing, says so.
fn works(program: &str, command: &str) {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status();
    if !found.unwrap().success() {
        skip(&format!("{program} is not installed"));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let script = |name: &str| {
        format!(
            "mkdir {0}/{name}; cd {0}/{name};\n{command}",
            directory.path().display()
        )
    };
    let bare = run("shell", Filter::Off, &script("bare"));
    if !error(&bare).contains("ANSWER 0") {
        skip(&format!(
            "{program} does not run here without the filters either: {}",
            error(&bare)
        ));
        return;
    }
    let filtered = run("shell", Filter::On, &script("filtered"));
    assert!(
        error(&filtered).contains("ANSWER 0"),
        "{program}: {}",
        error(&filtered)
    );
}

const PYTHON: &str = r#"
import asyncio, mmap, multiprocessing, os, socket, subprocess, sys, tempfile, threading
from multiprocessing import shared_memory

def square(x):
    return x * x

async def child():
    process = await asyncio.create_subprocess_exec("echo", "5", stdout=subprocess.PIPE)
    return int((await process.communicate())[0])

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(square, range(5)) == [0, 1, 4, 9, 16], method
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=queue.put, args=(7,))
    process.start(); assert queue.get() == 7; process.join()
    memory = shared_memory.SharedMemory(create=True, size=4096)
    memory.buf[0] = 1; memory.close(); memory.unlink()
    assert subprocess.check_output(["echo", "x"]) == b"x\n"
    done = []
    threads = [threading.Thread(target=done.append, args=(i,)) for i in range(8)]
    [t.start() for t in threads]; [t.join() for t in threads]; assert len(done) == 8
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    peer, _ = server.accept(); client.sendall(b"hi"); assert peer.recv(2) == b"hi"
    a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("127.0.0.1", 0))
    assert socket.if_nameindex()
    assert asyncio.run(child()) == 5
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC); page[0:1] = b"\xc3"
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    fd = os.memfd_create("x"); os.ftruncate(fd, 10); os.close(fd)
    with tempfile.TemporaryFile() as f: f.write(b"x"); f.flush(); os.fsync(f.fileno())
    os.mkfifo("fifo"); os.openpty()
"#;

#[test]
fn python_starts_processes_threads_and_sockets() {
    works(
        "python3",
        &format!("cat > work.py <<'END'\n{PYTHON}END\npython3 work.py"),
    );
}

#[test]
fn python_environments_are_made() {
    works(
        "python3",
        "python3 -m venv --without-pip v; v/bin/python -c 'import sys; assert sys.prefix != sys.base_prefix'",
    );
    works("pip", "pip --version; pip list");
}

#[test]
fn apt_and_dpkg_read_and_pack() {
    works("apt-get", "apt-get --version; apt-cache policy bash");
    let control =
        "Package: x\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@x>\\nDescription: x\\n";
    let pack = "dpkg-deb --root-owner-group -b x x.deb; dpkg-deb -x x.deb out";
    works(
        "dpkg-deb",
        &format!("mkdir -p x/DEBIAN; printf '{control}' > x/DEBIAN/control; {pack}"),
    );
}

#[test]
fn compilers_make_what_then_runs() {
    let source = "#include <pthread.h>\nstatic void *one(void *p) { return p; }\nint main(void) { pthread_t t; \
        return pthread_create(&t, 0, one, 0) || pthread_join(t, 0); }";
    works(
        "gcc",
        &format!("cat > x.c <<'END'\n{source}\nEND\ngcc -O2 -pthread -o x x.c; ./x"),
    );
    works(
        "make",
        "printf 'all: a b\\na b:\\n\\ttouch $@\\n' > Makefile; make -j2; ls a b",
    );
}

#[test]
fn git_commits_and_clones() {
    let commit = "git config user.email x@x; git config user.name x; echo x > x; git add x; git commit -qm x; git gc -q";
    works(
        "git",
        &format!("git init -q a; cd a; {commit}; cd ..; git clone -q a b; cmp a/x b/x"),
    );
}

#[test]
fn node_runs_workers_processes_and_sockets() {
    let script = r#"
const { Worker } = require("worker_threads"), fs = require("fs"), net = require("net");
const { execFileSync } = require("child_process");
if (execFileSync("echo", ["x"]).toString() !== "x\n") process.exit(1);
fs.writeFileSync("x", "x");
fs.promises.readFile("x").then(() => new Worker("", { eval: true }).on("exit", () => {
    const server = net.createServer(s => s.end()).listen(0, "127.0.0.1", () =>
        net.connect(server.address().port).on("close", () => process.exit(0)).resume());
}));
"#;
    works(
        "node",
        &format!("cat > x.js <<'END'\n{script}END\nnode x.js"),
    );
}

#[test]
fn redis_serves() {
    let ask = "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.2; redis-cli -s $PWD/s ping && break; done";
    works(
        "redis-server",
        &format!(
            "redis-server --port 0 --unixsocket $PWD/s & {ask}; redis-cli -s $PWD/s shutdown nosave"
        ),
    );
}

#[test]
fn files_are_copied_packed_and_found() {
    works(
        "tar",
        "mkdir d; echo x > d/x; ln -s x d/y; tar czf d.tgz d; rm -r d; tar xzf d.tgz; cat d/y; cp -a d e; mv e f; ls -l f",
    );
    works(
        "xargs",
        "echo x > x; find . -type f | xargs -P2 cat; sort x | uniq; du -s .; df .; stat x; touch -d yesterday x",
    );
    works("xz", "echo x > x; xz x; xz -d x.xz; cat x");
}

#[test]
fn shells_have_terminals() {
    works(
        "script",
        "script -qec 'stty -a; tty; sleep 0.1 & wait' /dev/null < /dev/null",
    );
}
