/* Preloaded under a child: makes the disk fail where and when the test says.
 *
 * SHIM_MATCH   only files whose path contains this (default: .segment)
 * SHIM_FSYNC   once | always   fsync and fdatasync fail with EIO, from call SHIM_AFTER on
 * SHIM_WRITE   N               write number N and all after it fail with ENOSPC (writes counted from 1)
 * SHIM_FREE    M               … until write M
 * SHIM_TEAR    N               write number N writes half and kills the process
 * SHIM_SLEEP   ms              every sync first sleeps
 * SHIM_WHILE   path            SHIM_FSYNC holds only while this file is there, and
 * SHIM_SLOW    path            SHIM_SLEEP only while this one is
 * SHIM_READONLY path           while this file is there, whatever would change SHIM_MATCH's files fails with EROFS
 * SHIM_COUNT   path            at exit, a file with the numbers of writes and syncs seen
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long writes, syncs, failed;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int concerns(int fd) {
    char link[64], path[4096];
    const char *match = getenv("SHIM_MATCH");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return strstr(path, match ? match : ".segment") != NULL;
}

static int is_wanted(const char *name) {
    const char *flag = getenv(name);
    return !flag || access(flag, F_OK) == 0;
}

static int is_readonly(void) {
    const char *flag = getenv("SHIM_READONLY");
    return flag && access(flag, F_OK) == 0;
}

static int sync_fails(int fd) {
    const char *mode = getenv("SHIM_FSYNC");
    if (!concerns(fd)) return 0;
    long ms = number("SHIM_SLEEP");
    if (ms && is_wanted("SHIM_SLOW")) {
        struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    pthread_mutex_lock(&lock);
    long now = ++syncs;
    int fails = mode && is_wanted("SHIM_WHILE") && now > number("SHIM_AFTER") && (strcmp(mode, "always") == 0 || failed == 0);
    failed += fails;
    pthread_mutex_unlock(&lock);
    return fails;
}

/* 0: go on, 1: fail with ENOSPC, 2: half and die */
static int write_fate(int fd) {
    if (!concerns(fd)) return 0;
    pthread_mutex_lock(&lock);
    long now = ++writes;
    pthread_mutex_unlock(&lock);
    long full = number("SHIM_WRITE"), until = number("SHIM_FREE"), tear = number("SHIM_TEAR");
    if (tear && now == tear) return 2;
    return full && now >= full && (!until || now < until);
}

typedef int (*sync_call)(int);
typedef int (*open_call)(const char *, int, ...);
typedef int (*truncate_call)(int, off_t);
typedef int (*unlink_call)(const char *);
typedef ssize_t (*write_call)(int, const void *, size_t, off_t);

#define REAL(name, type) \
    static type real; \
    if (!real) real = (type)dlsym(RTLD_NEXT, #name)

int fsync(int fd) {
    REAL(fsync, sync_call);
    if (sync_fails(fd)) { errno = EIO; return -1; }
    return real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync, sync_call);
    if (sync_fails(fd)) { errno = EIO; return -1; }
    return real(fd);
}

static ssize_t half(write_call real, int fd, const void *data, size_t size, off_t at) {
    real(fd, data, size / 2, at);
    kill(getpid(), SIGKILL);
    return -1;
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *data, size_t size, off_t at) { \
        REAL(name, write_call); \
        if (is_readonly() && concerns(fd)) { errno = EROFS; return -1; } \
        int fate = write_fate(fd); \
        if (fate == 1) { errno = ENOSPC; return -1; } \
        if (fate == 2) return half(real, fd, data, size, at); \
        return real(fd, data, size, at); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

static int refuses(const char *path) {
    const char *match = getenv("SHIM_MATCH");
    return is_readonly() && strstr(path, match ? match : ".segment") != NULL;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name, open_call); \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) && refuses(path)) { errno = EROFS; return -1; } \
        return real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define TRUNCATE(name) \
    int name(int fd, off_t size) { \
        REAL(name, truncate_call); \
        if (is_readonly() && concerns(fd)) { errno = EROFS; return -1; } \
        return real(fd, size); \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int unlink(const char *path) {
    REAL(unlink, unlink_call);
    if (refuses(path)) { errno = EROFS; return -1; }
    return real(path);
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("SHIM_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) { fprintf(file, "%ld %ld\n", writes, syncs); fclose(file); }
}
