"""Lock the current process down before it parses untrusted bytes.

Resource limits (memory, processor time, file size 0, few descriptors), no new privileges, no core
dump, death with the parent; then a seccomp filter, written by hand for x86-64 and AArch64, that
refuses what a decoder never needs: opening files, sockets, starting or tracing processes, signals
to others, changing limits, mounting. A child gets what it may read as open descriptors. Where the
kernel takes no filter, the limits alone hold and the level says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import struct
import sys
from collections.abc import Iterable

MAX_DESCRIPTORS = 64


def lock_down(memory_bytes: int, processor_seconds: int) -> str:
    """Apply all that this machine allows, for good. Returns the level: "seccomp+rlimits" or "rlimits".

    Call it in a process with one thread: filters hold for the thread that asks and its offspring.
    """
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CPU, processor_seconds)
    _limit(resource.RLIMIT_NOFILE, MAX_DESCRIPTORS)
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        _limit(kind, 0)
    if sys.platform == "linux" and _harden() and _install_filter() and _sockets_are_refused():
        return "seccomp+rlimits"
    # Without a filter threads cannot be told from processes: neither may be started.
    _limit(resource.RLIMIT_NPROC, 0)
    return "rlimits"


def _limit(kind: int, value: int) -> None:
    """Set a limit, soft and hard; never above the hard limit that holds already."""
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError):
        # macOS knows RLIMIT_AS by name only.
        return


def _harden() -> bool:
    """No new privileges, not traceable, dead when the parent dies."""
    asked = ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0), (_PR_SET_PDEATHSIG, int(signal.SIGKILL)))
    return all(_prctl(option, value) for option, value in asked)


def _install_filter() -> bool:
    """True when the kernel took the filter."""
    column = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
    if column is None or sys.byteorder != "little":
        return False
    code = b"".join(_program(column, os.getpid()))
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions of 8 bytes, then where they are.
    handle = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.create_string_buffer(handle, len(handle)))


def _sockets_are_refused() -> bool:
    """The filter proves itself on the call that matters most."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
    except PermissionError:
        return True
    return False


def _prctl(option: int, value: int, pointer: ctypes.Array[ctypes.c_char] | int = 0) -> bool:
    last = (
        ctypes.c_void_p(ctypes.addressof(pointer)) if isinstance(pointer, ctypes.Array) else ctypes.c_long(0)
    )
    none = ctypes.c_long(0)
    answer: int = ctypes.CDLL(None).prctl(ctypes.c_int(option), ctypes.c_long(value), last, none, none)
    return answer == 0


def _program(column: int, pid: int) -> Iterable[bytes]:
    """The BPF program: instructions of struct sock_filter over struct seccomp_data."""
    refuse = _RETURN_ERRNO | errno.EPERM
    yield _load(4)  # the architecture
    yield _step(_JUMP_EQUAL, (0xC000003E, 0xC00000B7)[column], 1, 0)
    yield _step(_RETURN, _RETURN_KILL)
    yield _load(0)  # the number of the call
    if column == 0:
        yield _step(_JUMP_AT_LEAST, 0x40000000, 0, 1)  # the x32 numbers name the same calls again
        yield _step(_RETURN, refuse)
    for numbers in _REFUSED.values():
        if numbers[column] >= 0:
            yield _step(_JUMP_EQUAL, numbers[column], 0, 1)
            yield _step(_RETURN, refuse)
    # Threads are made with clone(CLONE_THREAD); glibc falls back to it where clone3 is unknown.
    yield _step(_JUMP_EQUAL, 435, 0, 1)
    yield _step(_RETURN, _RETURN_ERRNO | errno.ENOSYS)
    yield _step(_JUMP_EQUAL, (56, 220)[column], 0, 4)
    yield _load(16)
    yield _step(_JUMP_ANY_BIT, 0x00010000, 0, 1)
    yield _step(_RETURN, _RETURN_ALLOW)
    yield _step(_RETURN, refuse)
    # tgkill to oneself is how abort() ends a process.
    yield _step(_JUMP_EQUAL, (234, 131)[column], 0, 4)
    yield _load(16)
    yield _step(_JUMP_EQUAL, pid, 0, 1)
    yield _step(_RETURN, _RETURN_ALLOW)
    yield _step(_RETURN, refuse)
    # prlimit64 may ask (no new limit given) but not set.
    yield _step(_JUMP_EQUAL, (302, 261)[column], 0, 6)
    yield _load(32)
    yield _step(_JUMP_EQUAL, 0, 0, 3)
    yield _load(36)
    yield _step(_JUMP_EQUAL, 0, 0, 1)
    yield _step(_RETURN, _RETURN_ALLOW)
    yield _step(_RETURN, refuse)
    yield _step(_RETURN, _RETURN_ALLOW)


def _load(offset: int) -> bytes:
    return _step(0x20, offset)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x15, 0x35, 0x45, 0x06
_RETURN_KILL, _RETURN_ERRNO, _RETURN_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000

# Call: its number on x86-64 and on AArch64, -1 where there is none.
_REFUSED = {
    # files: what may be read comes as an open descriptor
    "open": (2, -1),
    "openat": (257, 56),
    "openat2": (437, 437),
    "creat": (85, -1),
    "open_by_handle_at": (304, 265),
    "memfd_create": (319, 279),
    "unlink": (87, -1),
    "unlinkat": (263, 35),
    "rename": (82, -1),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, -1),
    "mkdirat": (258, 34),
    "rmdir": (84, -1),
    "link": (86, -1),
    "linkat": (265, 37),
    "symlink": (88, -1),
    "symlinkat": (266, 36),
    "mknod": (133, -1),
    "mknodat": (259, 33),
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, -1),
    "fchown": (93, 55),
    "lchown": (94, -1),
    "fchownat": (260, 54),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "utimensat": (280, 88),
    # network and other channels
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    # processes
    "fork": (57, -1),
    "vfork": (58, -1),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "setrlimit": (160, 164),
    "setuid": (105, 146),
    "setgid": (106, 144),
    "personality": (135, 92),
    # the machine
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "sethostname": (170, 161),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "fanotify_init": (300, 262),
    "iopl": (172, -1),
    "ioperm": (173, -1),
}
