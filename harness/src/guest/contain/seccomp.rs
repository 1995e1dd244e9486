//! A seccomp filter (seccomp(2)) for the system calls that change files, mounts or namespaces and that Landlock does not see.
//!
//! It is written by hand because a list of what is forbidden must also forbid what is numbered otherwise: the x32 calls of x86-64
//! have the same architecture in `seccomp_data` and other numbers. Guests' own system calls do not come by here: the kernel
//! asks the tracer first, and under PTRACE_SYSEMU there is then nothing left to filter (kernel/entry/common.c).

use nix::libc::{self, c_long, sock_filter};

/// linux/audit.h: EM_X86_64 (62) or EM_AARCH64 (183), 64 bits, little endian.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("guest/contain/seccomp.rs needs this architecture's AUDIT_ARCH constant");

/// arch/x86/include/uapi/asm/unistd.h, `__X32_SYSCALL_BIT`; no architecture has numbers of its own from here on.
const X32: u32 = 0x4000_0000;
/// linux/seccomp.h, `struct seccomp_data`: number, architecture, instruction pointer, six arguments of 64 bits.
const NUMBER: u32 = 0;
const ARCHITECTURE_OF: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Calls that are refused. Numbers from 424 on are the same on every architecture (asm-generic/unistd.h).
const FORBIDDEN: &[c_long] = &[
    // Modes, owners and times of files.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    452, // fchmodat2
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    // Extended attributes, and what chattr(1) sets.
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    463, // setxattrat
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    466, // removexattrat
    469, // file_setattr
    // Symbolic links, pipes and devices: who reads the results must find files and folders, and what they hold.
    libc::SYS_symlinkat,
    libc::SYS_mknodat,
    // Mounts and other roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    428, // open_tree
    429, // move_mount
    430, // fsopen
    431, // fsconfig
    432, // fsmount
    433, // fspick
    442, // mount_setattr
    467, // open_tree_attr
    // A new user namespace comes with all capabilities.
    libc::SYS_unshare,
    libc::SYS_setns,
    // A file by its number, past all folders.
    libc::SYS_open_by_handle_at,
];

/// The same under names that x86-64 alone still has.
#[cfg(target_arch = "x86_64")]
const FORBIDDEN_OLD: &[c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_symlink,
    libc::SYS_mknod,
];
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_OLD: &[c_long] = &[];

/// Calls that say what they do in memory, which no filter can read. Programs know what to do without them.
const UNKNOWN: &[c_long] = &[
    425, // io_uring_setup
    426, // io_uring_enter
    427, // io_uring_register
    435, // clone3
    437, // openat2
];

/// What an argument is compared with. All flags and commands here are within the lower 32 bits.
#[derive(Clone, Copy, Debug)]
enum Test {
    /// Any of these bits is set.
    Any(u32),
    /// It is this.
    Is(u32),
}

const CREATES: Test = Test::Any((libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) as u32);
/// A program that runs as its owner, for whoever starts it: a file must not be made so, as it cannot be changed so.
const SET_ID: Test = Test::Any(libc::S_ISUID | libc::S_ISGID);
const NAMESPACES: Test = Test::Any(
    (libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET) as u32,
);

/// Calls that are refused when each of these arguments (counted from 0) is so.
const FORBIDDEN_IF: &[(c_long, &[(u32, Test)])] = &[
    (libc::SYS_clone, &[(0, NAMESPACES)]),
    (libc::SYS_openat, &[(2, CREATES), (3, SET_ID)]),
    // linux/fs.h: FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR: attributes of files that are open for reading only.
    (libc::SYS_ioctl, &[(1, Test::Is(0x4008_6602))]),
    (libc::SYS_ioctl, &[(1, Test::Is(0x401c_5820))]),
    // asm-generic/ioctls.h: TIOCSTI, TIOCLINUX: typing at the caller's terminal.
    (libc::SYS_ioctl, &[(1, Test::Is(0x5412))]),
    (libc::SYS_ioctl, &[(1, Test::Is(0x541C))]),
];

#[cfg(target_arch = "x86_64")]
const FORBIDDEN_IF_OLD: &[(c_long, &[(u32, Test)])] =
    &[(libc::SYS_open, &[(1, CREATES), (2, SET_ID)]), (libc::SYS_creat, &[(1, SET_ID)])];
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_IF_OLD: &[(c_long, &[(u32, Test)])] = &[];

/// Filters the system calls of this thread, and of all that it starts, for good; no_new_privs must be set.
///
/// # Errors
/// When the kernel has no seccomp filters.
pub fn filter() -> std::io::Result<()> {
    let mut program = program();
    let length = u16::try_from(program.len()).map_err(std::io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: the kernel copies the program, whose length is as said, before the call returns.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    nix::errno::Errno::result(result)?;
    Ok(())
}

/// Numbers that no argument changes come first: for those the kernel remembers what the filter says and does not run it
/// (seccomp_cache_prepare, kernel/seccomp.c).
fn program() -> Vec<sock_filter> {
    let (refused, unknown) = (refuse(libc::EPERM), refuse(libc::ENOSYS));
    let mut program = vec![load(ARCHITECTURE_OF), jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0), refused, load(NUMBER)];
    program.extend([jump(libc::BPF_JGE, X32, 0, 1), unknown]);
    for call in FORBIDDEN.iter().chain(FORBIDDEN_OLD) {
        program.extend([jump(libc::BPF_JEQ, *call as u32, 0, 1), refused]);
    }
    for call in UNKNOWN {
        program.extend([jump(libc::BPF_JEQ, *call as u32, 0, 1), unknown]);
    }
    for (call, tests) in FORBIDDEN_IF.iter().chain(FORBIDDEN_IF_OLD) {
        // Two instructions for each test, then the refusal, then the number again for what follows.
        let left = |tests: usize| u8::try_from(2 * tests + 1).unwrap_or(u8::MAX);
        program.push(jump(libc::BPF_JEQ, *call as u32, 0, left(tests.len()) + 1));
        for (done, (argument, test)) in tests.iter().enumerate() {
            let (kind, value) = match test {
                Test::Any(bits) => (libc::BPF_JSET, *bits),
                Test::Is(value) => (libc::BPF_JEQ, *value),
            };
            // Little endian: the lower half comes first.
            program.extend([load(ARGUMENTS + 8 * argument), jump(kind, value, 0, left(tests.len() - done - 1))]);
        }
        program.extend([refused, load(NUMBER)]);
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program
}

fn load(offset: u32) -> sock_filter {
    sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

fn jump(kind: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | kind | libc::BPF_K) as u16, jt: yes, jf: no, k: value }
}

fn answer(action: u32) -> sock_filter {
    sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: action }
}

fn refuse(errno: i32) -> sock_filter {
    answer(libc::SECCOMP_RET_ERRNO | errno as u32)
}
