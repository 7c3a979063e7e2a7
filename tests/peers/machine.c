/* A machine that breaks on command: preloaded into the daemon by the tests.
 *
 * MACHINE_CONTROL names a file of lines that is read again at each call:
 *
 *   dir PATH       the files that the faults are about lie under it
 *   sync hang      fsync and fdatasync do not return while this stands
 *   sync eio       they fail
 *   write enospc   writes to files fail, as on a full disk
 *   write eio      they fail, as on a broken one
 *   write erofs    they fail, and so does all else that changes files, as on one that
 *                  the system has made read-only
 *   clock SECONDS  the wall clock is ahead by so much; the monotonic one is not
 *   synced SECOND  time synchronisation says that it set the clock then
 *
 * Each fault that bites leaves a file beside the control file, named after it:
 * a fault that does not bite must not pass for one that does no harm.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SYNCHRONISED "/run/systemd/timesync/synchronized"

/* The next definition of a function, which is libc's. */
#define REAL(function) \
    static __typeof__(function) *real; \
    if (!real) real = (__typeof__(function) *)dlsym(RTLD_NEXT, #function)

/* The word behind a key in the control file; 0 where there is none. All by
 * system calls, because the functions of libc are the ones that are broken. */
static int told(const char *key, char *word, size_t size) {
    const char *path = getenv("MACHINE_CONTROL");
    if (!path) return 0;
    int saved = errno;
    char text[4096];
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    long length = fd < 0 ? -1 : syscall(SYS_read, fd, text, sizeof text - 1);
    if (fd >= 0) syscall(SYS_close, fd);
    errno = saved;
    if (length <= 0) return 0;
    text[length] = 0;
    size_t key_length = strlen(key);
    for (char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, key, key_length) || line[key_length] != ' ') continue;
        char *from = line + key_length + 1;
        size_t end = strcspn(from, "\n");
        if (end >= size) return 0;
        memcpy(word, from, end);
        word[end] = 0;
        return 1;
    }
    return 0;
}

static int told_to(const char *key, const char *wanted) {
    char word[PATH_MAX];
    return told(key, word, sizeof word) && !strcmp(word, wanted);
}

static void bites(const char *fault) {
    int saved = errno;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.%s", getenv("MACHINE_CONTROL"), fault);
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) syscall(SYS_close, fd);
    errno = saved;
}

/* Whether a descriptor is a file under the folder in question. */
static int is_ours(int fd) {
    char dir[PATH_MAX], link[64], path[PATH_MAX];
    if (!told("dir", dir, sizeof dir)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    size_t prefix = strlen(dir);
    return length >= (long)prefix && !strncmp(path, dir, prefix);
}

static int sync_fails(int fd) {
    if (!is_ours(fd)) return 0;
    while (told_to("sync", "hang")) {
        bites("sync");
        struct timespec pause = {0, 10 * 1000 * 1000};
        syscall(SYS_nanosleep, &pause, NULL);
    }
    if (!told_to("sync", "eio")) return 0;
    bites("sync");
    errno = EIO;
    return 1;
}

static int write_fails(int fd) {
    int full = told_to("write", "enospc"), broken = told_to("write", "eio");
    int fixed = told_to("write", "erofs");
    if (!(full || broken || fixed) || !is_ours(fd)) return 0;
    bites("write");
    errno = full ? ENOSPC : fixed ? EROFS : EIO;
    return 1;
}

/* Whether a file under the folder in question must not be changed. */
static int is_fixed(const char *path) {
    char dir[PATH_MAX];
    if (!told_to("write", "erofs") || !told("dir", dir, sizeof dir)) return 0;
    if (strncmp(path, dir, strlen(dir))) return 0;
    bites("write");
    errno = EROFS;
    return 1;
}

static int is_to_write(int flags) {
    return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
}

#define OPEN(function) \
    int function(const char *path, int flags, ...) { \
        REAL(function); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        if (is_to_write(flags) && is_fixed(path)) return -1; \
        return real(path, flags, mode); \
    }

OPEN(open)
OPEN(open64)

int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    return told_to("write", "erofs") && write_fails(fd) ? -1 : real(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    return told_to("write", "erofs") && write_fails(fd) ? -1 : real(fd, size);
}

int unlink(const char *path) {
    REAL(unlink);
    return is_fixed(path) ? -1 : real(path);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return is_fixed(to) ? -1 : real(from, to);
}

int fsync(int fd) {
    REAL(fsync);
    return sync_fails(fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    return sync_fails(fd) ? -1 : real(fd);
}

ssize_t write(int fd, const void *from, size_t size) {
    REAL(write);
    return write_fails(fd) ? -1 : real(fd, from, size);
}

ssize_t writev(int fd, const struct iovec *from, int count) {
    REAL(writev);
    return write_fails(fd) ? -1 : real(fd, from, count);
}

ssize_t pwrite(int fd, const void *from, size_t size, off_t at) {
    REAL(pwrite);
    return write_fails(fd) ? -1 : real(fd, from, size, at);
}

ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) {
    REAL(pwrite64);
    return write_fails(fd) ? -1 : real(fd, from, size, at);
}

static long ahead(void) {
    char word[32];
    if (!told("clock", word, sizeof word)) return 0;
    bites("clock");
    return strtol(word, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int failed = real(clock, now);
    int wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (!failed && wall) now->tv_sec += ahead();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    REAL(gettimeofday);
    int failed = real(now, zone);
    if (!failed) now->tv_sec += ahead();
    return failed;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

/* What the real machine says of its synchronisation is nobody's business here. */
int statx(int dir, const char *restrict path, int flags, unsigned mask,
          struct statx *restrict out) {
    REAL(statx);
    /* The compiler believes that it is never null; Rust asks so to see what is there. */
    const char *volatile asked = path;
    if (!asked || strcmp(asked, SYNCHRONISED)) return real(dir, path, flags, mask, out);
    char word[32];
    if (!told("synced", word, sizeof word)) {
        errno = ENOENT;
        return -1;
    }
    bites("synced");
    memset(out, 0, sizeof *out);
    out->stx_mask = STATX_BASIC_STATS;
    out->stx_mode = S_IFREG | 0644;
    out->stx_mtime.tv_sec = strtol(word, NULL, 10);
    return 0;
}
