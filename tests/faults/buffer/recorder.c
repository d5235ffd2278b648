/* Preloaded under a child: writes down what it asks of the disk, in order, for power.py to cut short.
 *
 * RECORD_ROOT  only files whose path begins with this
 * RECORD_TO    the record; one entry a call: kind, length of path, length of data, offset, then path and data
 *
 * kinds: C file made, T truncated to offset, W written at offset, S synced, U unlinked, R renamed (data: new name),
 *        D directory made, P printed (what the child said on its standard output, so that it has its place)
 *
 * The call and its entry are made under one lock: their order is what the kernel saw.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int record = -1;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

struct entry { uint32_t kind, path, data; uint64_t at; } __attribute__((packed));

static void note(char kind, const char *path, const void *data, size_t size, off_t at) {
    if (record < 0) record = syscall(SYS_openat, AT_FDCWD, getenv("RECORD_TO"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct entry head = {kind, strlen(path), size, at};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path}, {(void *)data, size}};
    syscall(SYS_writev, record, parts, size ? 3 : 2);
}

static int ours(const char *path) {
    const char *root = getenv("RECORD_ROOT");
    return root && path && strncmp(path, root, strlen(root)) == 0;
}

static int path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, size - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return ours(path) && !strstr(path, " (deleted)");
}

#define LOCKED(type, call, then) \
    pthread_mutex_lock(&lock); \
    type result = call; \
    int kept = errno; \
    then; \
    pthread_mutex_unlock(&lock); \
    errno = kept; \
    return result

static int opening(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    if (!ours(path) || !(flags & (O_CREAT | O_TRUNC))) return real(path, flags, mode);
    struct stat before;
    int is_new = stat(path, &before) != 0;
    LOCKED(int, real(path, flags, mode), if (result >= 0) {
        if (is_new) note('C', path, "", 0, 0);
        else if (flags & O_TRUNC) note('T', path, "", 0, 0);
    });
}

int open(const char *path, int flags, ...) {
    REAL(open);
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);
    return opening(real, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);
    return opening(real, path, flags, mode);
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *data, size_t size, off_t at) { \
        REAL(name); \
        char path[4096]; \
        if (!path_of(fd, path, sizeof path)) return real(fd, data, size, at); \
        LOCKED(ssize_t, real(fd, data, size, at), if (result > 0) note('W', path, data, result, at)); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    char path[4096];
    if (fd == 1) { LOCKED(ssize_t, real(fd, data, size), if (result > 0) note('P', "", data, result, 0)); }
    if (!path_of(fd, path, sizeof path)) return real(fd, data, size);
    off_t at = lseek(fd, 0, SEEK_CUR);
    LOCKED(ssize_t, real(fd, data, size), if (result > 0) note('W', path, data, result, at));
}

#define ONE_FILE(name, kind) \
    int name(int fd) { \
        REAL(name); \
        char path[4096]; \
        if (!path_of(fd, path, sizeof path)) return real(fd); \
        LOCKED(int, real(fd), if (result == 0) note(kind, path, "", 0, 0)); \
    }
ONE_FILE(fsync, 'S')
ONE_FILE(fdatasync, 'S')

#define TRUNCATE(name) \
    int name(int fd, off_t size) { \
        REAL(name); \
        char path[4096]; \
        if (!path_of(fd, path, sizeof path)) return real(fd, size); \
        LOCKED(int, real(fd, size), if (result == 0) note('T', path, "", 0, size)); \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int unlink(const char *path) {
    REAL(unlink);
    LOCKED(int, real(path), if (result == 0 && ours(path)) note('U', path, "", 0, 0));
}

int rename(const char *from, const char *to) {
    REAL(rename);
    LOCKED(int, real(from, to), if (result == 0 && ours(from)) note('R', from, to, strlen(to), 0));
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    LOCKED(int, real(path, mode), if (result == 0 && ours(path)) note('D', path, "", 0, 0));
}
