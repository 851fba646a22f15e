"""Runs inside the sandbox as its process 1, and is all of our code there.

It forks the interpreter that runs the code of calls, and watches over it: limits, output, and an end to whatever a call left running. As process 1
it can not be signalled from within, it makes itself closed to ptrace and /proc, and its end takes the whole sandbox with it. Any failure here
ends it, so a limit that can not be watched is not passed over.

Standard input:  a line of JSON a call, {"code": "..."}; its end ends the sandbox.
Standard output: {"ready": true}, then a line of JSON a call: status, reason, stdout, stderr, result, ended.
The interpreter has neither: it talks with process 1 over a socket of its own, and can tell lies there about its own call only.
"""
import ast
import builtins
import ctypes
import errno
import json
import linecache
import os
import platform
import resource
import select
import signal
import socket
import struct
import sys
import time
import traceback
import types

LIMITS = json.loads(sys.argv[1])
WATCH_SECONDS = 0.05
MISUSED = "it closed or misused the connection with its runner"
MOUNTS = ("/sandbox", "/tmp", "/dev/shm")
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_DUMPABLE, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 4, 22, 2


def prctl(option, value, argument=None):
    if LIBC.prctl(option, ctypes.c_ulong(value), argument, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


# The system call filter: a second wall behind the namespaces, and the end of what they do not bound. Numbers are those of x86_64 and aarch64;
# newer calls have one number everywhere. Refused are: reaching into other processes, namespaces and mounts, kernel interfaces with a history of
# holes, memory that belongs to no process (it would escape the limit), and priorities above process 1.
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
REFUSED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    "process_madvise": (440, 440), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "personality": (135, 92),
    "quotactl": (179, 60), "acct": (163, 89), "syslog": (103, 116), "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "setpriority": (141, 140), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
}
CLONE, CLONE3, SOCKET, PRLIMIT = (56, 220), (435, 435), (41, 198), (302, 261)
NEW_NAMESPACES = 0x7E020000
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)


def install_filter():
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no system call filter for {machine}")
    audit, column = ARCHITECTURES[machine]
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    kill, allow, fail = 0x80000000, 0x7FFF0000, 0x00050000
    number, architecture, first_argument = 0, 4, 16
    program = [(load, 0, 0, architecture), (equal, 1, 0, audit), (give, 0, 0, kill), (load, 0, 0, number)]
    if machine == "x86_64":  # the x32 calls have other numbers
        program += [(at_least, 0, 1, 0x40000000), (give, 0, 0, fail | errno.ENOSYS)]
    for row in REFUSED.values():
        program += [(equal, 0, 1, row[column]), (give, 0, 0, fail | errno.EPERM)]
    # clone3 hides its flags behind a pointer. The C library takes clone when there is no clone3.
    program += [(equal, 0, 1, CLONE3[column]), (give, 0, 0, fail | errno.ENOSYS)]
    program += [(equal, 0, 4, CLONE[column]), (load, 0, 0, first_argument), (any_bit, 0, 1, NEW_NAMESPACES),
                (give, 0, 0, fail | errno.EPERM), (give, 0, 0, allow)]
    # The limits of another process, process 1 among them, are not to be set.
    program += [(equal, 0, 4, PRLIMIT[column]), (load, 0, 0, first_argument), (equal, 1, 0, 0),
                (give, 0, 0, fail | errno.EPERM), (give, 0, 0, allow)]
    # A network namespace does not hold every family: AF_VSOCK reaches the hypervisor.
    program += [(equal, 0, 5, SOCKET[column]), (load, 0, 0, first_argument), *((equal, 3 - i, 0, f) for i, f in enumerate(FAMILIES)),
                (give, 0, 0, fail | errno.EAFNOSUPPORT)]
    program += [(give, 0, 0, allow)]

    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header)


def cut(text, most):
    """At most so many bytes of the text, begin and end, as valid UTF-8."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > most:
        side = (most - 64) // 2  # so that the note has room too
        data = data[:side] + b"\n[... %d bytes cut ...]\n" % (len(data) - 2 * side) + data[-side:]
    return data.decode("utf-8", "replace")


# --- The interpreter ---

def set_limits():
    for limit, value in (
            (resource.RLIMIT_NPROC, LIMITS["processes"] + 1),  # with process 1
            (resource.RLIMIT_AS, LIMITS["memory_bytes"]),
            (resource.RLIMIT_FSIZE, LIMITS["disk_bytes"]),
            (resource.RLIMIT_NOFILE, LIMITS["open_files"]),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_MEMLOCK, 0),
            (resource.RLIMIT_MSGQUEUE, 0)):
        resource.setrlimit(limit, (value, value))


def run(code, scope, name):
    """Runs one call's code; gives the status, the last expression's repr, and a traceback."""
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)
    try:
        body = ast.parse(code, name)
        last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
        exec(compile(body, name, "exec"), scope)
        value = None if last is None else eval(compile(ast.Expression(last.value), name, "eval"), scope)
        return "ok", None if value is None else cut(repr(value), LIMITS["output_bytes"]), ""
    except BaseException as failure:
        if isinstance(failure, SystemExit) and failure.code in (None, 0):
            return "ok", None, ""
        if isinstance(failure, SyntaxError) and failure.filename == name:
            told = traceback.format_exception_only(type(failure), failure)
        else:
            told = traceback.format_exception(type(failure), failure, failure.__traceback__.tb_next)  # without the frame of this function
        return "error", None, cut("".join(told), LIMITS["output_bytes"])


def interpret(channel):
    """The interpreter: runs call after call with one set of globals."""
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.argv = [""]
    sys.path.insert(0, "/sandbox")
    for number, stream in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        setattr(sys, stream, open(number, "r" if number == 0 else "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False))
    streams = [sys.stdout, sys.stderr]
    requests = channel.makefile("rb")
    me = os.getpid()
    count = 0
    for line in requests:
        count += 1
        reap()  # what was ended with the last call still counts as a process until it is collected
        status, result, error = run(json.loads(line)["code"], main.__dict__, f"<call {count}>")
        for stream in {*streams, sys.stdout, sys.stderr}:
            try:
                stream.flush()
            except Exception:
                pass  # closed, or replaced by something else: the code's own affair
        if os.getpid() != me:
            os._exit(0)  # a child of the code's own fork that ran to the end
        channel.sendall(json.dumps({"status": status, "result": result, "error": error}).encode() + b"\n")


def start_interpreter():
    """Forks the interpreter; gives its process, its socket, and the pipes of its output."""
    ours, theirs = socket.socketpair()
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            null = os.open("/dev/null", os.O_RDONLY)
            for number, end in enumerate((null, out_end, err_end)):
                os.dup2(end, number)
            for spare in (null, out, out_end, err, err_end):
                os.close(spare)
            ours.close()
            prctl(PR_SET_DUMPABLE, 1)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.nice(10)
            set_limits()
            install_filter()
            theirs.sendall(b"ready\n")
            interpret(theirs)
        except BaseException as failure:
            try:
                theirs.sendall(f"{failure}\n".encode())
            finally:
                os._exit(1)
        os._exit(1)
    for end in (out_end, err_end):
        os.close(end)
    theirs.close()
    if (told := ours.recv(1000)) != b"ready\n":
        raise OSError(f"the interpreter did not start: {told.decode()}")
    for number in (ours.fileno(), out, err):
        os.set_blocking(number, False)
    return pid, ours, (out, err)


# --- The watch ---

def stat(pid):
    """The fields of /proc/<pid>/stat from the state on, or None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def processes():
    return {int(name): fields for name in os.listdir("/proc") if name.isdigit() and (fields := stat(name))}


def cpu_seconds(table):
    return sum(sum(map(int, fields[11:15])) for fields in table.values()) / os.sysconf("SC_CLK_TCK")


def memory_bytes(table):
    resident = {pid: int(fields[21]) * resource.getpagesize() for pid, fields in table.items() if pid != 1}
    if sum(resident.values()) > LIMITS["memory_bytes"]:
        # Shared pages were counted more than once; the exact sum is dear and so the second step.
        for pid in resident:
            try:
                with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                    resident[pid] = next(int(line.split()[1]) * 1024 for line in file if line.startswith(b"Pss:"))
            except (OSError, StopIteration):
                pass  # gone, or made unreadable by itself: what was counted stands
    return sum(resident.values())


def broken_limit(cpu_before):
    table = processes()
    if memory_bytes(table) > LIMITS["memory_bytes"]:
        return f"it used more than {LIMITS['memory_bytes']} bytes of memory"
    if cpu_seconds(table) - cpu_before > LIMITS["cpu_seconds"]:
        return f"it used more than {LIMITS['cpu_seconds']:g} s of CPU time"
    for mount in MOUNTS:
        figures = os.statvfs(mount)
        if figures.f_files - figures.f_ffree > LIMITS["files"]:
            return f"it made more than {LIMITS['files']} files"
    return None


def reap():
    """Collects dead children; gives how they ended, by process."""
    ended = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = status
    except ChildProcessError:
        pass
    return ended


def settle(interpreter):
    """Stops the interpreter and ends every other process, so that nothing runs between calls. False when that can not be had."""
    os.kill(interpreter, signal.SIGSTOP)
    give_up = time.monotonic() + 2
    while time.monotonic() < give_up:
        table = processes()
        others = [pid for pid, fields in table.items() if pid not in (1, interpreter) and fields[0] not in b"ZX"]
        if not others and interpreter in table and table[interpreter][0] in b"TZ":
            return True
        for signal_number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, or they fork faster than they are killed
            for pid in others:
                try:
                    os.kill(pid, signal_number)
                except ProcessLookupError:
                    pass
        if interpreter in reap():
            return False
        time.sleep(0.001)
    return False


class Output:
    """What a call printed, up to the limit; what is more is read and dropped, so that nobody waits."""

    def __init__(self, pipes):
        self.kept = {pipe: bytearray() for pipe in pipes}
        self.dropped = dict.fromkeys(pipes, 0)
        self.room = LIMITS["output_bytes"]

    def read(self, pipe):
        """Takes what there is. False when there is nothing."""
        try:
            data = os.read(pipe, 65536)
        except BlockingIOError:
            return False
        taken = data[:self.room]
        self.room -= len(taken)
        self.kept[pipe] += taken
        self.dropped[pipe] += len(data) - len(taken)
        return bool(data)

    def rest(self):
        """Reads what is in the pipes yet; gives the text of each. Something may write still when the sandbox is about to end."""
        until = time.monotonic() + 1
        for pipe in self.kept:
            while self.read(pipe) and time.monotonic() < until:
                pass
        return [self.text(pipe) for pipe in self.kept]

    def text(self, pipe):
        note = f"\n[... {self.dropped[pipe]} bytes cut ...]\n" if self.dropped[pipe] else ""
        return self.kept[pipe].decode("utf-8", "replace") + note


def read_reply(data):
    """What the interpreter told, checked: the code it runs can write there too."""
    try:
        told = json.loads(data)
        status, result, error = told["status"], told["result"], told["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if status not in ("ok", "error") or not isinstance(result, (str, type(None))) or not isinstance(error, str):
        return None
    most = LIMITS["output_bytes"]
    return status, None if result is None else cut(result, most), cut(error, most)


def describe(status):
    return f"it was ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"it exited with status {os.WEXITSTATUS(status)}"


def end_of(interpreter):
    """How the interpreter ended, which it may be about to, when it has hung up."""
    give_up = time.monotonic() + 1
    while time.monotonic() < give_up:
        if (status := reap().get(interpreter)) is not None:
            return describe(status)
        time.sleep(0.001)
    return MISUSED


class Exchange:
    """The bytes of one call, to and from the interpreter. Process 1 never waits for it: it may not read, and may write without end."""

    def __init__(self, line, channel, pipes):
        self.channel = channel
        self.unsent = memoryview(line)
        self.reply = bytearray()
        self.hung_up = False
        self.output = Output(pipes)

    def step(self):
        """Moves what can be moved, for the time between two looks at the limits at most."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self.channel, select.POLLIN | (select.POLLOUT if self.unsent else 0))
        for pipe in self.output.kept:
            poll.register(pipe, select.POLLIN)
        for number, event in poll.poll(WATCH_SECONDS * 1000):
            if number == 0:
                os._exit(0)  # the server is gone, or has given this call up
            elif number in self.output.kept:
                self.output.read(number)
            else:
                self.talk(event)

    def talk(self, event):
        try:
            if event & select.POLLOUT:
                self.unsent = self.unsent[self.channel.send(self.unsent):]
            if event & (select.POLLIN | select.POLLHUP):
                data = self.channel.recv(65536)
                self.reply += data
                self.hung_up = not data
        except BlockingIOError:
            pass
        except OSError:
            self.hung_up = True

    def told(self):
        """Whether the interpreter has told how the call ended, or will not in a way that could be understood."""
        return b"\n" in self.reply or len(self.reply) > 12 * LIMITS["output_bytes"] + 4096

    def has_more(self):
        """Whether there is more than one line: it would be taken for the answer to the next call."""
        self.talk(select.POLLIN)
        return self.reply.find(b"\n") != len(self.reply) - 1


def call(line, interpreter, channel, pipes):
    """Runs one call; gives the answer."""
    exchange = Exchange(line, channel, pipes)
    cpu_before = cpu_seconds(processes())
    deadline = time.monotonic() + LIMITS["wall_seconds"]
    next_watch = 0
    status, reason, result, error = None, None, None, ""
    os.kill(interpreter, signal.SIGCONT)
    while status is None:
        exchange.step()
        now = time.monotonic()
        ended = reap()
        if interpreter in ended:
            status, reason = "killed", describe(ended[interpreter])
        elif exchange.hung_up:
            status, reason = "killed", end_of(interpreter)
        elif exchange.told():
            if reply := read_reply(bytes(exchange.reply).partition(b"\n")[0]):
                status, result, error = reply
            else:
                status, reason = "killed", MISUSED
        elif now > deadline:
            status, reason = "timeout", f"it ran longer than {LIMITS['wall_seconds']:g} s"
        elif now > next_watch:
            if reason := broken_limit(cpu_before):
                status = "killed"
            next_watch = now + WATCH_SECONDS
    if status in ("ok", "error") and not settle(interpreter):
        status, reason, result = "killed", "processes it started could not be ended", None
    elif status in ("ok", "error") and exchange.has_more():
        status, reason, result, error = "killed", MISUSED, None, ""
    stdout, stderr = exchange.output.rest()
    return {"status": status, "reason": reason, "stdout": stdout, "stderr": stderr + error, "result": result, "ended": status not in ("ok", "error")}


def requests():
    """Lines of standard input, read as they come."""
    pending = b""
    while data := os.read(0, 65536):
        pending += data
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            yield line + b"\n"


def answer(message):
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(1, data):]


def close_inherited():
    """Closes what whoever started the server left open: a folder of the host would be a way out."""
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2:
            try:
                os.close(number)
            except OSError:
                pass  # the listing itself


def supervise():
    close_inherited()
    prctl(PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python's own handler would make process 1 receptive to it
    interpreter, channel, pipes = start_interpreter()
    settle(interpreter)
    answer({"ready": True})
    for line in requests():
        done = call(line, interpreter, channel, pipes)
        answer(done)
        if done["ended"]:
            break


try:
    supervise()
except BaseException:
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)
os._exit(0)
