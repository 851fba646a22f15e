# Run in a sandbox before the server serves. Its result is the list of walls that do not stand. HIDDEN (paths of the host) and PROCESSES come first.
import os, socket, time

problems = []


def check(wanted, problem):
    if not wanted:
        problems.append(problem)


def reaches_network():
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
        return True
    except OSError:
        return False


def can_write(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        return True
    except OSError:
        return False


def fork_until_refused():
    children = []
    try:
        while len(children) <= PROCESSES:
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    except BlockingIOError:
        pass
    return len(children)


status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
check(os.getuid() != 0, "it runs as root")
check(int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0, "it has capabilities")
check(status["NoNewPrivs"] == "1", "it may gain privileges")
check(status["Seccomp"] == "2", "it has no system call filter")
check({name for name in os.listdir("/proc") if name.isdigit()} == {"1", str(os.getpid())}, "it sees processes of the host")
check(not reaches_network(), "it reaches a network")
check(set(os.environ) <= {"PATH", "HOME", "LANG", "PWD", "LC_CTYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}, "it has an environment of the host")
check(len(os.listdir("/proc/self/fd")) == 5, "it has open files of the host")  # standard streams, the runner's socket, this listing
check(not any(map(os.path.exists, HIDDEN)), "it sees files of the host")
check(not any(map(can_write, ("/probe", "/usr/probe", "/dev/probe"))), "it can write outside its folders")
check(can_write("/sandbox/probe") and can_write("/tmp/probe") and can_write("/dev/shm/probe"), "it can not write to its own folders")
check(fork_until_refused() < PROCESSES, "its processes are not limited")
problems
